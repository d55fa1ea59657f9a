"""The relay that faults are made with does what a bad network does, to a driver that knows the servers' real names."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pymongo
import pytest
from pymongo import MongoClient
from pymongo.errors import PyMongoError

from tests.acceptance.conftest import Document
from tests.acceptance.relay import Relay
from tests.conditions import eventually

Client = MongoClient[Document]


@pytest.fixture
def relay(mongo: Client) -> Iterator[Relay]:
    """The way to the primary, which is told to be known by the relay's address."""
    mongo.admin.command("ping")
    primary = mongo.primary
    assert primary is not None
    with Relay(primary[1]) as made:
        made.aliases[f"127.0.0.1:{primary[1]}\0".encode()] = f"127.0.0.1:{made.port}\0".encode()
        yield made


@pytest.fixture
def client(relay: Relay) -> Iterator[Client]:
    """A driver that asks the server who belongs to its replica set."""
    uri = f"mongodb://127.0.0.1:{relay.port}/?replicaSet=rs0&serverSelectionTimeoutMS=2000&retryReads=false"
    with MongoClient[Document](uri) as made:
        eventually(lambda: answers(made))
        yield made


def answers(client: Client) -> bool:
    with pymongo.timeout(1):
        try:
            return bool(client.admin.command("ping")["ok"])
        except PyMongoError:
            return False


def test_a_driver_of_a_replica_set_stays_on_its_relay(relay: Relay, client: Client) -> None:
    assert client.primary == ("127.0.0.1", relay.port)


def test_nothing_comes_through_a_dark_line_and_all_of_it_once_it_is_healed(
    relay: Relay, client: Client
) -> None:
    relay.darken()
    eventually(lambda: not answers(client))
    assert not answers(client)

    relay.heal()
    eventually(lambda: answers(client))


def test_a_cut_line_takes_no_connection_until_it_is_healed(relay: Relay, client: Client) -> None:
    relay.cut()
    eventually(lambda: not answers(client))
    assert not answers(client)

    relay.heal()
    eventually(lambda: answers(client))


def test_a_slow_line_delays_each_way(relay: Relay, client: Client) -> None:
    relay.slow(0.3)
    eventually(lambda: roundtrip(client) >= 0.6)

    relay.heal()
    eventually(lambda: roundtrip(client) < 0.3)


def roundtrip(client: Client) -> float:
    started = time.monotonic()
    answers(client)
    return time.monotonic() - started
