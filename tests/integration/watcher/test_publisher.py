"""Messages in the broker, and a broker that is not there."""

from __future__ import annotations

import base64
import json
import os
import signal
import threading
import time
import uuid
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from celery.contrib.testing.worker import start_worker
from kombu import Connection
from redis import Redis

from executions_app.message_format import FORMAT, FORMAT_HEADER
from executions_app.routes import Routes
from executions_app.routing import Outbound
from mongoclaw_project import celery_queues
from mongoclaw_project.celery_amqp import OwnAMQP
from mongoclaw_project.celery_settings import celery_settings
from mongoclaw_project.config import Settings, load_settings
from mongoclaw_project.redis_transport import install
from sandbox.embedded import RunningServer, start_valkey
from tests.conditions import eventually
from watcher.sending.message import TASK
from watcher.sending.publisher import BrokerUnavailable, Publisher

BROKERS = pytest.mark.parametrize("broker", ["redis_url", "rabbitmq_url"])


def app_at(url: str, **worker: str) -> Celery:
    install()
    app = Celery("tests", amqp=OwnAMQP)
    app.conf.update(celery_settings(settings_at(url, **worker)))
    return app


def settings_at(url: str, **worker: str) -> Settings:
    environ = {f"MONGOCLAW_WORKER__{name.upper()}": value for name, value in worker.items()}
    return load_settings(
        {**environ, "MONGOCLAW_BROKER__URL": url, "MONGOCLAW_REDIS__SOCKET_CONNECT_TIMEOUT": "1"}
    )


def publisher_at(url: str, **worker: str) -> Publisher:
    return Publisher(app_at(url, **worker), Routes(settings_at(url, **worker), monotonic=time.monotonic))


def rows(*ids: str, priority: int = 0) -> list[Outbound]:
    return [Outbound(id_, "triage", "shop", "tickets", f"subject of {id_}", priority) for id_ in ids]


@BROKERS
def test_a_batch_of_messages_is_counted(request: pytest.FixtureRequest, broker: str) -> None:
    publisher = publisher_at(request.getfixturevalue(broker))

    publisher.publish(rows(*[f"{number:032x}" for number in range(300)]))
    publisher.publish(rows("a1" * 16))

    assert publisher.depth() == 301
    publisher.close()


@BROKERS
@pytest.mark.parametrize("strategy", ["by_priority", "partitioned"])
def test_messages_in_all_queues_of_the_strategy_are_counted(
    request: pytest.FixtureRequest, broker: str, strategy: str
) -> None:
    publisher = publisher_at(request.getfixturevalue(broker), routing_strategy=strategy)

    for priority in (-1, 0, 9):
        publisher.publish(rows(*[f"{number:032x}" for number in range(50)], priority=priority))

    assert publisher.depth() == 150
    publisher.close()


def first_message(url: str) -> dict[str, Any]:
    with Redis.from_url(url) as client:
        message: dict[str, Any] = json.loads(client.rpop("mongoclaw"))  # type: ignore[arg-type,unused-ignore]
    message["body"] = json.loads(base64.b64decode(message["body"]))
    return message


def test_a_message_is_the_one_that_celery_itself_would_send(redis_url: str) -> None:
    app, publisher, id_ = app_at(redis_url), publisher_at(redis_url), "a1" * 16
    app.send_task(TASK, args=[id_], task_id=id_, queue="mongoclaw", argsrepr="", kwargsrepr="")
    celerys = first_message(redis_url)

    publisher.publish(rows(id_))
    ours = first_message(redis_url)
    publisher.close()

    assert ours["headers"].pop(FORMAT_HEADER) == FORMAT
    assert celerys["headers"].pop("ignore_result") in (None, ours["headers"].pop("ignore_result"))
    for part in ("body", "headers", "content-type", "content-encoding"):
        assert ours[part] == celerys[part]
    for name in ("correlation_id", "delivery_mode", "delivery_info", "priority", "body_encoding"):
        assert ours["properties"][name] == celerys["properties"][name]


def test_a_message_that_goes_ahead_is_taken_before_those_that_wait(redis_url: str) -> None:
    publisher = publisher_at(redis_url)
    publisher.publish(rows("a1" * 16, "b2" * 16))

    publisher.publish(rows("c3" * 16), ahead={"triage"})

    taken = [first_message(redis_url)["headers"]["id"] for _ in range(3)]
    assert taken == ["c3" * 16, "a1" * 16, "b2" * 16]
    publisher.close()


def test_each_message_has_its_own_id_wherever_celery_looks_for_it(redis_url: str) -> None:
    publisher = publisher_at(redis_url)

    publisher.publish(rows("a1" * 16, "b2" * 16))

    sent = [first_message(redis_url), first_message(redis_url)]
    publisher.close()
    for id_, message in zip(["a1" * 16, "b2" * 16], sent, strict=True):
        assert message["body"][0] == [id_]
        assert [message["headers"][name] for name in ("id", "root_id")] == [id_, id_]
        assert message["properties"]["correlation_id"] == id_
    tags = {message["properties"]["delivery_tag"] for message in sent}
    assert all(uuid.UUID(tag) for tag in tags)
    assert len(tags) == 2


@BROKERS
def test_a_worker_runs_what_was_published(request: pytest.FixtureRequest, broker: str) -> None:
    url = request.getfixturevalue(broker)
    app, ran, done = app_at(url), list[str](), threading.Event()
    app.conf.update(imports=(), worker_pool="solo")
    app.finalize()
    app.tasks.pop(TASK, None)  # the project's own, where another test of this process has imported it

    @app.task(name=TASK, shared=False)
    def enrich(execution_id: str) -> None:
        ran.append(execution_id)
        done.set()

    publisher = Publisher(app, Routes(settings_at(url), monotonic=time.monotonic))
    publisher.publish(rows("c3" * 16))
    with start_worker(app, pool="solo", perform_ping_check=False):
        assert done.wait(20)
    publisher.close()

    assert ran == ["c3" * 16]


def test_a_broker_that_refuses_to_write_is_an_error_and_not_a_loss(redis_url: str) -> None:
    publisher = publisher_at(redis_url)
    publisher.publish(rows("d4" * 16))
    with Redis.from_url(redis_url) as client:
        client.delete("mongoclaw")
        client.set("mongoclaw", "no list")

    with pytest.raises(BrokerUnavailable):
        publisher.publish(rows("d4" * 16))


def test_a_queue_that_nobody_has_used_is_empty_and_no_error(redis_url: str) -> None:
    publisher = publisher_at(redis_url)

    assert publisher.depth() == 0
    publisher.close()


def test_a_broker_that_is_away_is_said_at_once_and_not_waited_for() -> None:
    publisher = publisher_at("redis://127.0.0.1:1/0")

    with pytest.raises(BrokerUnavailable):
        publisher.publish(rows("0" * 32))
    with pytest.raises(BrokerUnavailable):
        publisher.depth()


def test_a_broker_that_has_frozen_is_away(tmp_path: Path) -> None:
    server = start_valkey(tmp_path)
    publisher = publisher_at(server.url)
    try:
        publisher.publish(rows("e5" * 16))
        os.kill(server.pid, signal.SIGSTOP)

        with pytest.raises(BrokerUnavailable):
            publisher.publish(rows("e6" * 16))
    finally:
        os.kill(server.pid, signal.SIGCONT)
        publisher.close()
        server.stop()


def test_a_rabbitmq_that_has_frozen_is_away_and_takes_no_message_in_silence(
    own_rabbitmq: RunningServer,
) -> None:
    publisher = publisher_at(own_rabbitmq.url)
    publisher.publish(rows("e5" * 16))
    os.kill(own_rabbitmq.pid, signal.SIGSTOP)
    try:
        with pytest.raises(BrokerUnavailable):
            publisher.publish(rows("e6" * 16))
    finally:
        os.kill(own_rabbitmq.pid, signal.SIGCONT)
    publisher.publish(rows("e7" * 16))
    publisher.close()


def test_a_message_that_rabbitmq_refuses_is_an_error_and_not_a_loss(rabbitmq_url: str) -> None:
    app = app_at(rabbitmq_url)
    arguments = app.amqp.queues["mongoclaw"].queue_arguments or {}
    app.amqp.queues["mongoclaw"].queue_arguments = {**arguments, "x-max-length": 3}
    publisher = Publisher(app, Routes(settings_at(rabbitmq_url), monotonic=time.monotonic))

    def refused() -> bool:
        try:
            publisher.publish(rows("f1" * 16))
        except BrokerUnavailable:
            return True
        return False

    eventually(refused)


def test_a_message_that_rabbitmq_delivers_in_vain_for_too_long_is_kept_apart(rabbitmq_url: str) -> None:
    publisher = publisher_at(rabbitmq_url)
    publisher.publish(rows("c9" * 16))
    publisher.close()
    with Connection(rabbitmq_url) as connection:
        channel: Any = connection.default_channel
        for _ in range(21):
            message = eventually(lambda: channel.basic_get("mongoclaw"))
            channel.basic_reject(message.delivery_tag, requeue=True)

        given_up = eventually(lambda: channel.basic_get("mongoclaw.dead"))
        assert json.loads(given_up.body)[0] == ["c9" * 16]
        assert channel.basic_get("mongoclaw") is None


@pytest.mark.parametrize(("strategy", "drained"), [("single", True), ("by_priority", False)])
def test_with_several_queues_of_rabbitmq_nobody_takes_delivered_messages_for_lost(
    rabbitmq_url: str, strategy: str, *, drained: bool
) -> None:
    publisher = publisher_at(rabbitmq_url, routing_strategy=strategy)
    publisher.publish(rows("d1" * 16))
    assert not publisher.is_drained()
    name = "mongoclaw" if strategy == "single" else "mongoclaw.priority.normal"

    with Connection(rabbitmq_url) as connection:
        channel: Any = connection.default_channel
        eventually(lambda: channel.basic_get(name))
        eventually(lambda: publisher.depth() == 0)

        assert publisher.is_drained() is drained
    publisher.close()


def test_a_queue_of_rabbitmq_that_nobody_uses_goes_and_comes_again_with_the_next_message(
    rabbitmq_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(celery_queues, "UNUSED_MS", 1_000)
    publisher = publisher_at(rabbitmq_url, routing_strategy="by_priority")
    name = "mongoclaw.priority.normal"
    publisher.publish(rows("d2" * 16))

    assert eventually(lambda: not is_there(rabbitmq_url, name))

    assert not publisher.is_drained()
    publisher.publish(rows("d3" * 16))
    with Connection(rabbitmq_url) as connection:
        channel: Any = connection.default_channel
        assert json.loads(eventually(lambda: channel.basic_get(name)).body)[0] == ["d3" * 16]
    publisher.close()


def is_there(url: str, name: str) -> bool:
    with Connection(url) as connection:
        channel: Any = connection.default_channel
        try:
            channel.queue_declare(queue=name, passive=True)
        except connection.channel_errors:
            return False
    return True
