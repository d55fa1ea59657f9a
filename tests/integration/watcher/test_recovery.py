"""Errors of a real server, one after the other: no event is lost, none is on record twice, gaps only where due."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from pymongo import MongoClient

from executions_app.models import Execution, GapKind, StreamGap
from sandbox.embedded import start_mongod
from sandbox.errors import BinaryMissing
from tests.conditions import eventually
from tests.integration.watcher.streams import READER, Station
from watcher.reading.status import StreamState

pytestmark = [pytest.mark.sql, pytest.mark.django_db(transaction=True)]
Document = dict[str, Any]

PASSING = (43, 91, 136, 189, 260, 280, 286, 10334, 11601)


@pytest.fixture(scope="module")
def failing_mongod(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server that fails on request."""
    try:
        server = start_mongod(
            tmp_path_factory.mktemp("failing"), options=("--setParameter", "enableTestCommands=1")
        )
    except BinaryMissing as missing:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(missing))
    yield server.url
    server.kill()


@pytest.fixture
def station(failing_mongod: str) -> Iterator[Station]:
    """A reader of a database of its own."""
    # A server that calls itself shut down is asked again by the driver's monitor, by default ten seconds later.
    with MongoClient[Document](failing_mongod, appname=READER, heartbeatFrequencyMS=500) as client:
        station = Station(client, f"t_{uuid.uuid4().hex[:12]}")
        yield station
        station.recover()


def insert(station: Station, *keys: str) -> None:
    station.db.tickets.insert_many([{"_id": key, "text": "x"} for key in keys])


def assert_each_once(station: Station, *keys: str) -> None:
    assert sorted(station.documents_of("triage")) == sorted(keys)
    assert not StreamGap.objects.exists()


@pytest.mark.parametrize("failure", [*PASSING, "closeConnection"], ids=str)
def test_an_error_while_reading_loses_nothing(station: Station, failure: int | str) -> None:
    station.agent("triage")
    data = {"closeConnection": True} if failure == "closeConnection" else {"errorCode": failure}
    with station.reading():
        insert(station, "before")
        station.wait_for("triage", "before")

        station.fail("getMore", **data)
        insert(station, "during")
        station.wait_for("triage", "during")
        insert(station, "after")
        station.wait_for("triage", "after")

    assert_each_once(station, "before", "during", "after")


@pytest.mark.parametrize(
    ("failure", "times"),
    # Too large for a second time is too large without the names of its fields, and has a test of its own.
    [
        (failure, times)
        for failure in (*PASSING, "closeConnection")
        for times in (1, 2)
        if (failure, times) != (10334, 2)
    ],
    ids=str,
)
def test_an_error_while_opening_loses_nothing(station: Station, failure: int | str, times: int) -> None:
    station.agent("triage")
    data = {"closeConnection": True} if failure == "closeConnection" else {"errorCode": failure}
    with station.reading():
        insert(station, "before")
        station.wait_for("triage", "before")
    insert(station, "during")

    station.fail("aggregate", times=times, **data)
    with station.reading():
        station.wait_for("triage", "during")
        insert(station, "after")
        station.wait_for("triage", "after")

    assert_each_once(station, "before", "during", "after")


@pytest.mark.parametrize("code", [280, 286, 99999])
def test_an_error_that_comes_again_and_again_is_broken_and_no_hot_loop(station: Station, code: int) -> None:
    station.agent("triage")
    with station.reading() as reader:
        insert(station, "before")
        station.wait_for("triage", "before")
        station.fail("getMore", times=None, errorCode=code)
        opens = station.opens()

        status = eventually(lambda: reader.status() if reader.status().state is StreamState.BROKEN else None)

        assert station.opens() - opens <= 4
        assert "Failing command" in status.detail


def test_a_stream_that_was_broken_goes_on_where_it_was(
    station: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("watcher.reading.recovery.BROKEN_PAUSE", 0.3)
    station.agent("triage")
    with station.reading() as reader:
        insert(station, "before")
        station.wait_for("triage", "before")
        station.fail("getMore", times=None, errorCode=280)
        insert(station, "during")
        eventually(lambda: reader.status().state is StreamState.BROKEN)
        eventually(lambda: health_of("triage").startswith("stream broken"))

        station.recover()
        station.wait_for("triage", "during")
        eventually(lambda: reader.status().state is StreamState.LIVE)
        eventually(lambda: health_of("triage") == "")

    assert_each_once(station, "before", "during")


def health_of(agent_id: str) -> str:
    from agents_app.models import Agent

    return Agent.objects.get(pk=agent_id).health_reason


def test_an_event_that_is_too_large_with_its_names_is_read_without_them(station: Station) -> None:
    station.agent("triage")
    with station.reading() as reader:
        insert(station, "before")
        station.wait_for("triage", "before")
        station.fail("getMore", errorCode=10334)
        insert(station, "large", "next")
        station.wait_for("triage", "large", "next")
        eventually(lambda: reader.status().state is StreamState.LIVE)

    assert_each_once(station, "before", "large", "next")


def test_an_event_that_is_too_large_in_any_form_is_a_gap_and_the_next_one_arrives(station: Station) -> None:
    station.agent("triage")
    station.agent("elsewhere", collection="others")
    with station.reading():
        insert(station, "before")
        station.wait_for("triage", "before")
    insert(station, "large", "next")

    station.fail("aggregate", times=2, errorCode=10334)
    with station.reading():
        station.wait_for("triage", "next")
        insert(station, "after")
        station.wait_for("triage", "after")

    assert sorted(station.documents_of("triage")) == ["after", "before", "next"]
    gap = StreamGap.objects.get()
    assert (gap.agent_id, gap.kind, gap.code) == ("triage", GapKind.EVENT_TOO_LARGE, 10334)
    assert Execution.objects.count() == 3
