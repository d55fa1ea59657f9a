"""Messages that are acknowledged leave Redis soon, and none comes a second time to a worker that lives."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import redis
from kombu import Connection
from kombu.asynchronous import Hub, get_event_loop

from mongoclaw_project.redis_transport import install
from tests.conditions import eventually

QUEUE = "acknowledging"


@pytest.fixture
def hub() -> Iterator[Hub]:
    """The event loop of a worker that has lost its first connection: kombu's global one is gone."""
    found = Hub()
    found.reset()
    assert get_event_loop() is None
    yield found
    found.close()


def filled(redis_url: str) -> Iterator[Connection]:
    install()
    with Connection(redis_url) as connection:
        queue = connection.SimpleQueue(QUEUE, serializer="json")
        for number in range(4):
            queue.put({"number": number})
        yield connection


@pytest.fixture
def channel(hub: Hub, redis_url: str) -> Iterator[Any]:
    """A worker's channel of a queue with four messages."""
    for connection in filled(redis_url):
        connection.register_with_event_loop(hub)
        yield connection.channel()


def taken(channel: Any) -> Any:
    message = channel.basic_get(QUEUE)
    assert message is not None
    return message


def held(redis_url: str) -> int:
    with redis.Redis.from_url(redis_url) as client:
        assert client.hlen("unacked") == client.zcard("unacked_index")
        return int(client.hlen("unacked"))


def test_what_is_done_is_gone_when_the_next_message_is_taken(channel: Any, redis_url: str) -> None:
    first, second = taken(channel), taken(channel)
    first.ack()
    second.ack()
    assert (held(redis_url), channel.qos.can_consume()) == (2, True), "a place is free before Redis knows"

    third = taken(channel)

    assert held(redis_url) == 1
    assert third.payload == {"number": 2}


def test_what_is_done_is_gone_soon_where_nothing_else_comes(hub: Hub, channel: Any, redis_url: str) -> None:
    taken(channel).ack()
    assert held(redis_url) == 1

    def turned() -> bool:
        hub.run_once()
        return held(redis_url) == 0

    assert eventually(turned)


def test_a_channel_that_closes_gives_back_what_is_not_done_and_nothing_else(
    channel: Any, redis_url: str
) -> None:
    done, begun = taken(channel), taken(channel)
    done.ack()

    channel.close()

    assert held(redis_url) == 0
    with Connection(redis_url) as connection:
        again = [connection.SimpleQueue(QUEUE).get(timeout=5).payload["number"] for _ in range(3)]
    assert again == [begun.payload["number"], 2, 3]


def test_without_an_event_loop_a_message_is_gone_at_once(redis_url: str) -> None:
    for connection in filled(redis_url):
        taken(connection.channel()).ack()
        assert held(redis_url) == 0
