"""Workers and messages of different releases in one fleet."""

from __future__ import annotations

import json
from typing import Any

from kombu import Connection
from redis import Redis

from executions_app.message_format import FORMAT, FORMAT_HEADER
from tests.acceptance.conftest import Fleet


def rewrite(fleet: Fleet, **headers: object) -> None:
    """Take the waiting message out of the queue and put it back with other headers; None takes one away."""
    with Redis.from_url(fleet.broker.url) as client:
        message: dict[str, Any] = json.loads(client.rpop("mongoclaw"))  # type: ignore[arg-type,unused-ignore]
        kept = {**message["headers"], **headers}
        message["headers"] = {name: value for name, value in kept.items() if value is not None}
        client.lpush("mongoclaw", json.dumps(message))


def test_a_message_of_a_newer_format_is_left_to_newer_workers_and_its_row_comes_again(fleet: Fleet) -> None:
    fleet.publish()
    fleet.start_watcher()
    fleet.insert(1)
    fleet.wait_for(lambda: depth(fleet) == 1)
    rewrite(fleet, **{FORMAT_HEADER: FORMAT + 1})

    fleet.start_worker()

    fleet.wait_for(lambda: "message.newer" in fleet.log("worker"))
    # The row was left queued, without a mark of failure; dispatch has sent it again since, as this release does.
    fleet.wait_for(lambda: fleet.enriched() == 1)
    rows = fleet.rows("SELECT status, attempts, publications FROM executions_app_execution")
    fleet.wait_until_idle()
    assert rows in ([("completed", 0, 1)], [("running", 0, 1)])


def test_a_message_from_before_formats_had_numbers_is_run(fleet: Fleet) -> None:
    fleet.publish()
    fleet.start_watcher()
    fleet.insert(1)
    fleet.wait_for(lambda: depth(fleet) == 1)
    rewrite(fleet, **{FORMAT_HEADER: None})

    fleet.start_worker()

    fleet.wait_for(lambda: fleet.enriched() == 1)
    fleet.wait_until_idle()
    assert fleet.rows("SELECT publications FROM executions_app_execution") == [(0,)]


def depth(fleet: Fleet) -> int:
    """Count the messages that wait."""
    with Connection(fleet.broker.url) as connection:
        channel: Any = connection.default_channel
        return int(channel.client.llen("mongoclaw"))
