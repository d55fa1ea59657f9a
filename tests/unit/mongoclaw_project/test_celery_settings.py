from __future__ import annotations

from typing import Any

import pytest
from celery import Celery
from celery.fixups.django import DjangoWorkerFixup  # type: ignore[attr-defined]  # celery-types lacks it
from celery.utils.imports import symbol_by_name

from mongoclaw_project.celery_amqp import OwnAMQP
from mongoclaw_project.celery_settings import celery_settings
from mongoclaw_project.config import SettingsInvalid, load_settings


@pytest.fixture
def conf() -> dict[str, Any]:
    return celery_settings(load_settings({"MONGOCLAW_REDIS__URL": "redis://broker:1/2"}))


BASELINE = {
    "broker_url": "redis://broker:1/2",
    "broker_connection_retry_on_startup": True,
    "broker_connection_max_retries": None,
    "task_acks_late": True,
    "task_reject_on_worker_lost": True,
    "task_acks_on_timeout": False,
    "task_ignore_result": True,
    "result_backend": None,
    "task_serializer": "json",
    "accept_content": ["json"],
    "worker_prefetch_multiplier": 1,
    "worker_disable_prefetch": True,
    "worker_disable_rate_limits": True,
    "worker_pool": "threads",
    "worker_concurrency": 64,
    "worker_hijack_root_logger": False,
    "worker_send_task_events": False,
    "worker_cancel_long_running_tasks_on_connection_loss": False,
    "task_default_queue": "mongoclaw",
    "task_default_exchange": "mongoclaw",
    "task_default_exchange_type": "direct",
}


@pytest.mark.parametrize(("name", "value"), list(BASELINE.items()))
def test_celery_is_set_to_the_researched_baseline(conf: dict[str, Any], name: str, value: object) -> None:
    assert conf[name] == value


def test_the_transport_neither_hangs_nor_starves(conf: dict[str, Any]) -> None:
    assert conf["broker_transport_options"] == {
        "visibility_timeout": 900,
        "unacked_restore_interval": 5,
        "unacked_restore_throttle": 1,
        "queue_order_strategy": "round_robin",
        "health_check_interval": 10,
        "socket_timeout": 15.0,
        "socket_connect_timeout": 5.0,
        "socket_keepalive": True,
        "max_connections": 84,
    }


def test_connections_grow_with_the_pool_and_patience_with_the_setting() -> None:
    environ = {"MONGOCLAW_WORKER__POOL_SIZE": "200", "MONGOCLAW_REDIS__SOCKET_TIMEOUT": "30"}
    options = celery_settings(load_settings(environ))["broker_transport_options"]
    assert options["max_connections"] == 220
    assert options["socket_timeout"] == 30


def test_the_one_queue_has_a_direct_exchange_of_its_own_name(conf: dict[str, Any]) -> None:
    (queue,) = conf["task_queues"]
    assert (queue.name, queue.exchange.name, queue.exchange.type, queue.routing_key) == (
        "mongoclaw",
        "mongoclaw",
        "direct",
        "mongoclaw",
    )


def test_celerys_fixup_finds_the_key_that_keeps_sqlite_connections() -> None:
    app = Celery("probe", set_as_current=False)
    app.conf.update(celery_settings(load_settings({})))
    assert DjangoWorkerFixup(app).db_reuse_max > 10**18


def test_connections_of_postgresql_go_back_to_their_pool_after_each_task() -> None:
    app = Celery("probe", set_as_current=False)
    app.conf.update(celery_settings(load_settings({"MONGOCLAW_DATABASE__URL": "postgresql://h/d"})))
    assert DjangoWorkerFixup(app).db_reuse_max is None


def at(url: str, **more: str) -> dict[str, Any]:
    environ = {f"MONGOCLAW_BROKER__{name.upper()}": value for name, value in more.items()}
    return celery_settings(load_settings({**environ, "MONGOCLAW_BROKER__URL": url}))


def test_a_broker_of_its_own_takes_the_messages_and_leaves_redis_the_limits() -> None:
    settings = load_settings({"MONGOCLAW_REDIS__URL": "redis://limits", "MONGOCLAW_BROKER__URL": "redis://b"})
    assert celery_settings(settings)["broker_url"] == "redis://b"
    assert settings.redis.url == "redis://limits"


def test_on_rabbitmq_every_queue_is_replicated_and_drops_nothing_in_silence() -> None:
    app = Celery("probe", set_as_current=False, amqp=OwnAMQP)
    app.conf.update(at("amqp://user:secret@rabbit//", delivery_limit="7"))
    lasting = {"mongoclaw": {}, "mongoclaw.agent.support-triage": {"x-expires": 7 * 24 * 3600 * 1000}}
    for name, expiring in lasting.items():
        assert app.amqp.queues[name].queue_arguments == {
            **expiring,
            "x-queue-type": "quorum",
            "x-delivery-limit": 7,
            "x-dead-letter-exchange": "mongoclaw.dead",
            "x-dead-letter-routing-key": "mongoclaw.dead",
            "x-dead-letter-strategy": "at-least-once",
            "x-overflow": "reject-publish",
        }
    assert not app.conf.worker_disable_prefetch
    assert "visibility_timeout" not in app.conf.broker_transport_options


def test_celerys_queues_for_etas_are_not_made_on_rabbitmq() -> None:
    consumer = at("amqps://rabbit//")["worker_consumer"]
    steps = symbol_by_name(consumer).Blueprint.default_steps
    assert [step for step in steps if "tasks" in step]
    assert not [step for step in steps if "delayed" in step]


def test_sentinel_is_asked_for_the_master_with_a_password_of_its_own() -> None:
    conf = at("sentinel://a;sentinel://b", sentinel_master="prod", sentinel_password="secret")
    options = conf["broker_transport_options"]
    assert options["master_name"] == "prod"
    assert options["sentinel_kwargs"]["password"] == "secret"
    assert options["visibility_timeout"] == 900


def test_a_unix_socket_is_named_as_kombu_names_it() -> None:
    conf = celery_settings(load_settings({"MONGOCLAW_REDIS__URL": "unix:///run/valkey.sock"}))
    assert conf["broker_url"] == "redis+socket:///run/valkey.sock"


@pytest.mark.parametrize("url", ["kafka://b", "b:5672", "sentinel://a;redis-sentinel://b"])
def test_a_broker_that_we_do_not_know_is_refused_by_name(url: str) -> None:
    with pytest.raises(
        SettingsInvalid, match=r"MONGOCLAW_BROKER__URL: must start with redis://, .* amqps://"
    ):
        at(url)


def test_a_broker_of_another_program_in_the_environment_is_not_ours() -> None:
    assert load_settings({"BROKER_URL": "amqp://theirs"}).broker.url == ""


def test_task_events_are_sent_only_where_flower_is() -> None:
    told = celery_settings(load_settings({"MONGOCLAW_FLOWER__ENABLED": "true"}))
    assert told["worker_send_task_events"] is True
