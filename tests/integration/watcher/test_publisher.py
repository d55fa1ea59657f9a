"""Messages in the broker, and a broker that is not there."""

from __future__ import annotations

import pytest
from celery import Celery

from mongoclaw_project.celery_settings import celery_settings
from mongoclaw_project.config import load_settings
from watcher.publisher import BrokerUnavailable, Publisher


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
