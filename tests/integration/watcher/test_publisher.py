"""Messages in the broker, and a broker that is not there."""

from __future__ import annotations

import base64
import json
import os
import signal
import threading
import uuid
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from celery.contrib.testing.worker import start_worker
from redis import Redis

from mongoclaw_project.celery_settings import celery_settings
from mongoclaw_project.config import load_settings
from sandbox.embedded import start_valkey
from watcher.sending.message import TASK
from watcher.sending.publisher import BrokerUnavailable, Publisher


def app_at(url: str) -> Celery:
    app = Celery("tests")
    settings = load_settings({"MONGOCLAW_REDIS__URL": url, "MONGOCLAW_REDIS__SOCKET_CONNECT_TIMEOUT": "1"})
    app.conf.update(celery_settings(settings))
    return app


def test_a_batch_of_messages_is_counted(redis_url: str) -> None:
    publisher = Publisher(app_at(redis_url))

    publisher.publish([f"{number:032x}" for number in range(300)])

    assert publisher.depth() == 300
    publisher.close()


def first_message(url: str) -> dict[str, Any]:
    with Redis.from_url(url) as client:
        message: dict[str, Any] = json.loads(client.rpop("mongoclaw"))  # type: ignore[arg-type,unused-ignore]
    message["body"] = json.loads(base64.b64decode(message["body"]))
    return message


def test_a_message_is_the_one_that_celery_itself_would_send(redis_url: str) -> None:
    app, publisher, id_ = app_at(redis_url), Publisher(app_at(redis_url)), "a1" * 16
    app.send_task(TASK, args=[id_], task_id=id_, queue="mongoclaw", argsrepr="", kwargsrepr="")
    celerys = first_message(redis_url)

    publisher.publish([id_])
    ours = first_message(redis_url)
    publisher.close()

    assert celerys["headers"].pop("ignore_result") in (None, ours["headers"].pop("ignore_result"))
    for part in ("body", "headers", "content-type", "content-encoding"):
        assert ours[part] == celerys[part]
    for name in ("correlation_id", "delivery_mode", "delivery_info", "priority", "body_encoding"):
        assert ours["properties"][name] == celerys["properties"][name]


def test_each_message_has_its_own_id_wherever_celery_looks_for_it(redis_url: str) -> None:
    publisher = Publisher(app_at(redis_url))

    publisher.publish(["a1" * 16, "b2" * 16])

    sent = [first_message(redis_url), first_message(redis_url)]
    publisher.close()
    for id_, message in zip(["a1" * 16, "b2" * 16], sent, strict=True):
        assert message["body"][0] == [id_]
        assert [message["headers"][name] for name in ("id", "root_id")] == [id_, id_]
        assert message["properties"]["correlation_id"] == id_
    tags = {message["properties"]["delivery_tag"] for message in sent}
    assert all(uuid.UUID(tag) for tag in tags)
    assert len(tags) == 2


def test_a_worker_runs_what_was_published(redis_url: str) -> None:
    app, ran, done = app_at(redis_url), list[str](), threading.Event()
    app.conf.update(imports=(), worker_pool="solo")
    app.finalize()
    app.tasks.pop(TASK, None)  # the project's own, where another test of this process has imported it

    @app.task(name=TASK)
    def enrich(execution_id: str) -> None:
        ran.append(execution_id)
        done.set()

    publisher = Publisher(app)
    publisher.publish(["c3" * 16])
    with start_worker(app, pool="solo", perform_ping_check=False):
        assert done.wait(20)
    publisher.close()

    assert ran == ["c3" * 16]


def test_a_broker_that_refuses_to_write_is_an_error_and_not_a_loss(redis_url: str) -> None:
    publisher = Publisher(app_at(redis_url))
    publisher.publish(["d4" * 16])
    with Redis.from_url(redis_url) as client:
        client.delete("mongoclaw")
        client.set("mongoclaw", "no list")

    with pytest.raises(BrokerUnavailable):
        publisher.publish(["d4" * 16])


def test_a_queue_that_nobody_has_used_is_empty_and_no_error(redis_url: str) -> None:
    publisher = Publisher(app_at(redis_url))

    assert publisher.depth() == 0
    publisher.close()


def test_a_broker_that_is_away_is_said_at_once_and_not_waited_for() -> None:
    publisher = Publisher(app_at("redis://127.0.0.1:1/0"))

    with pytest.raises(BrokerUnavailable):
        publisher.publish(["0" * 32])
    with pytest.raises(BrokerUnavailable):
        publisher.depth()


def test_a_broker_that_has_frozen_is_away(tmp_path: Path) -> None:
    server = start_valkey(tmp_path)
    publisher = Publisher(app_at(server.url))
    try:
        publisher.publish(["e5" * 16])
        os.kill(server.pid, signal.SIGSTOP)

        with pytest.raises(BrokerUnavailable):
            publisher.publish(["e6" * 16])
    finally:
        os.kill(server.pid, signal.SIGCONT)
        publisher.close()
        server.stop()
