from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from pymongo import MongoClient
from structlog.testing import capture_logs

from tests.acceptance.relay import Relay
from tests.conditions import eventually
from watcher.connection import MongoRefuses, connect_patiently


@pytest.fixture
def network(mongo: MongoClient[dict[str, Any]]) -> Iterator[Relay]:
    """The way to the primary."""
    mongo.admin.command("ping")
    assert mongo.primary is not None
    with Relay(mongo.primary[1]) as relay:
        yield relay


def uri_of(network: Relay) -> str:
    return f"mongodb://127.0.0.1:{network.port}/?directConnection=true"


def test_a_watcher_that_starts_while_mongodb_is_away_waits_for_it(network: Relay) -> None:
    network.cut()
    with capture_logs() as logs, ThreadPoolExecutor(1) as pool:
        connecting = pool.submit(connect_patiently, uri_of(network), 1000, threading.Event())
        eventually(lambda: any(line["event"] == "watcher.waiting_for_mongodb" for line in logs))
        assert not connecting.done()
        network.heal()
        client = connecting.result(30)
    assert client is not None
    client.close()


def test_a_watcher_that_waits_for_mongodb_stops_when_asked(network: Relay) -> None:
    network.cut()
    stopping = threading.Event()
    with capture_logs() as logs, ThreadPoolExecutor(1) as pool:
        connecting = pool.submit(connect_patiently, uri_of(network), 1000, stopping)
        eventually(lambda: logs)
        stopping.set()
        assert connecting.result(30) is None


def test_an_address_that_can_never_be_right_is_refused_at_once() -> None:
    with pytest.raises(MongoRefuses, match="MONGOCLAW_MONGODB__URI is not a MongoDB address"):
        connect_patiently("postgres://localhost", 1000, threading.Event())
