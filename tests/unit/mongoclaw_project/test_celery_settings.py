from __future__ import annotations

from typing import Any

import pytest
from celery import Celery
from celery.fixups.django import DjangoWorkerFixup  # type: ignore[attr-defined]  # celery-types lacks it

from mongoclaw_project.celery_settings import celery_settings
from mongoclaw_project.config import load_settings


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
