"""What happens to collections, databases and agents while a stream runs or stands still costs no event."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from pymongo import MongoClient

from agents_app import registry
from agents_app.publish import set_enabled
from executions_app import gaps
from executions_app.models import Backfill, GapKind, GapStatus, StreamGap
from tests.conditions import eventually
from tests.integration.watcher.streams import Station
from watcher.observing.metrics import COLLECTION_EVENTS

pytestmark = [pytest.mark.sql, pytest.mark.django_db(transaction=True)]
Document = dict[str, Any]


@pytest.fixture
def station(mongo: MongoClient[Document]) -> Iterator[Station]:
    """A reader of a database of its own."""
    station = Station(mongo, f"t_{uuid.uuid4().hex[:12]}")
    yield station
    mongo.drop_database(station.db.name)
    mongo.drop_database(station.home.name)


def insert(station: Station, *keys: str, collection: str = "tickets") -> None:
    station.db[collection].insert_many([{"_id": key, "text": "x"} for key in keys])


def drop(station: Station) -> None:
    station.db.tickets.drop()


def drop_database(station: Station) -> None:
    station.client.drop_database(station.db.name)


def rename_away(station: Station) -> None:
    station.db.tickets.rename("archive")


def rename_to_another_database(station: Station) -> None:
    to = f"{station.home.name}.archive"
    station.client.admin.command({"renameCollection": f"{station.db.name}.tickets", "to": to})


def drop_and_create_as_another_kind(station: Station) -> None:
    station.db.tickets.drop()
    station.db.create_collection("tickets", changeStreamPreAndPostImages={"enabled": True})


def drop_database_twice(station: Station) -> None:
    station.client.drop_database(station.db.name)
    insert(station, "between")
    station.client.drop_database(station.db.name)


EVENTS = {
    "drop": drop,
    "drop of the database": drop_database,
    "drop of the database, twice": drop_database_twice,
    "rename away": rename_away,
    "rename to another database": rename_to_another_database,
    "drop and creation": drop_and_create_as_another_kind,
}


@pytest.mark.parametrize("is_read", [True, False], ids=["while reading", "while nobody reads"])
@pytest.mark.parametrize("event", EVENTS.values(), ids=EVENTS)
def test_events_before_and_after_arrive_once(
    station: Station, event: Callable[[Station], None], is_read: bool
) -> None:
    station.agent("triage")
    with station.reading():
        insert(station, "before")
        station.wait_for("triage", "before")
        if is_read:
            insert(station, "just before")
            event(station)
            insert(station, "after")
            station.wait_for("triage", "just before", "after")
    if not is_read:
        insert(station, "just before")
        event(station)
        insert(station, "after")
    with station.reading():
        station.wait_for("triage", "just before", "after")
        insert(station, "much later")
        station.wait_for("triage", "much later")

    between = ["between"] if event is drop_database_twice else []
    expected = sorted(["before", "just before", "after", "much later", *between])
    assert sorted(station.documents_of("triage")) == expected
    assert not StreamGap.objects.exists()


def test_the_drop_of_a_watched_collection_is_logged_and_counted(
    station: Station, caplog: pytest.LogCaptureFixture
) -> None:
    station.agent("triage")
    with station.reading():
        insert(station, "before")
        insert(station, "other", collection="others")
        station.wait_for("triage", "before")
        station.db.others.drop()
        station.db.tickets.drop()
        dropped = COLLECTION_EVENTS.labels(station.unit.name, "drop")
        eventually(lambda: dropped._value.get() == 1)

    assert "stream.collection_event" in caplog.text


def rename_into(station: Station) -> None:
    insert(station, "new 1", "new 2", collection="staging")
    station.db.staging.rename("tickets", dropTarget=True)


def out_into(station: Station) -> None:
    insert(station, "new 1", "new 2", collection="staging")
    station.db.staging.aggregate([{"$out": "tickets"}])


@pytest.mark.parametrize("replace", [rename_into, out_into])
def test_documents_that_come_by_a_rename_are_a_gap_for_whom_they_may_concern(
    station: Station, replace: Callable[[Station], None]
) -> None:
    station.agent("triage")
    station.agent("held", on_history_lost="fail")
    station.agent("elsewhere", collection="others")
    station.agent("undertaker", operations=["delete"])
    with station.reading():
        insert(station, "before")
        station.wait_for("triage", "before")
        replace(station)
        eventually(lambda: StreamGap.objects.count() == 2)
        insert(station, "after")
        station.wait_for("triage", "after")

        rows = {row.agent_id: row for row in StreamGap.objects.all()}
        assert {row.kind for row in rows.values()} == {GapKind.COLLECTION_RENAMED}
        assert (rows["triage"].status, rows["held"].status) == (GapStatus.BACKFILLING, GapStatus.OPEN)
        assert Backfill.objects.get().agent_id == "triage"
        assert station.documents_of("held") == ["before"]

        gaps.close(rows["held"].id, by="tests", resolution="known", now=datetime.now(UTC))
        station.wait_for("held", "after")

    with station.reading():
        insert(station, "later")
        station.wait_for("held", "later")
    assert StreamGap.objects.count() == 2, "a replay finds the same gaps"
    assert sorted(station.documents_of("held")) == ["after", "before", "later"]


def test_another_filter_other_agents_and_other_operations_between_two_runs_lose_nothing(
    station: Station,
) -> None:
    station.agent("triage")
    station.agent("leaving")
    with station.reading():
        insert(station, "one")
        station.wait_for("triage", "one")
        station.wait_for("leaving", "one")
    insert(station, "two")
    set_enabled("leaving", False, now=datetime.now(UTC))
    station.agent("triage", operations=["insert", "update", "replace"], filter={"text": "x"})
    station.agent("newcomer", collection="others")
    insert(station, "new", collection="others")

    with station.reading():
        station.wait_for("triage", "two")
        station.wait_for("newcomer", "new")
        insert(station, "three")
        station.wait_for("triage", "three")

    assert sorted(station.documents_of("triage")) == ["one", "three", "two"]
    assert (station.documents_of("leaving"), StreamGap.objects.count()) == (["one"], 0)


def test_a_wider_filter_holds_from_its_publication_on_and_not_from_when_the_watcher_has_it(
    station: Station,
) -> None:
    station.agent("triage", filter={"text": "y"})
    with station.reading() as reader:
        station.db.tickets.insert_one({"_id": "one", "text": "y"})
        station.wait_for("triage", "one")
        station.agent("triage")
        insert(station, "between")
        station.db.tickets.insert_one({"_id": "two", "text": "y"})
        station.wait_for("triage", "two")
        assert "between" not in station.documents_of("triage"), "the watcher does not know the new filter yet"

        reader.watch(station.agents())
        station.wait_for("triage", "between")

    assert sorted(station.documents_of("triage")) == ["between", "one", "two"]


def test_an_agent_that_comes_back_while_the_stream_runs_gets_what_comes_from_then_on(
    station: Station,
) -> None:
    station.agent("triage")
    station.agent("pausing")
    with station.reading() as reader:
        insert(station, "one")
        station.wait_for("pausing", "one")
        set_enabled("pausing", False, now=datetime.now(UTC))
        registry.forget()
        reader.watch(station.agents())
        insert(station, "two")
        station.wait_for("triage", "two")
        set_enabled("pausing", True, now=datetime.now(UTC))
        registry.forget()
        reader.watch(station.agents())
        insert(station, "three")
        station.wait_for("pausing", "three")
        station.wait_for("triage", "three")

    assert sorted(station.documents_of("triage")) == ["one", "three", "two"]


def test_a_stream_whose_filter_matches_nothing_for_long_resumes_behind_all_of_it(station: Station) -> None:
    station.agent("triage")
    with station.reading():
        insert(station, "one")
        station.wait_for("triage", "one")
        noise = station.db.noise
        for start in range(0, 200_000, 10_000):
            noise.insert_many([{"_id": n} for n in range(start, start + 10_000)], ordered=False)
        end = station.client.admin.command("ping")["operationTime"]
        eventually(lambda: (position := station.position()) is not None and position.time >= end)
    resumed_from = station.position()
    assert resumed_from is not None
    assert resumed_from.token is not None, (
        "behind the noise by a token, which is found without reading it again"
    )

    with station.reading():
        insert(station, "two")
        station.wait_for("triage", "two")

    assert station.documents_of("triage") == ["one", "two"]
