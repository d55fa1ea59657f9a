"""What the pipelines let through on a real server: references to documents, and what happens to collections."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from bson import Int64, ObjectId
from pymongo import MongoClient
from pymongo.database import Database

from tests.integration.watcher.conftest import MakeAgent
from watcher.reading.pipeline import build_pipeline
from watcher.reading.stream import Batch, ChangeStream, StartPoint
from watcher.unit import Unit

Document = dict[str, Any]
Open = Callable[[list[Document]], ChangeStream]


@pytest.fixture
def open_stream(mongo: MongoClient[Document], mongo_db: Database[Document]) -> Open:
    """Opens a stream of the test's database, from now on."""

    def open_(pipeline: list[Document]) -> ChangeStream:
        stream = ChangeStream(mongo, mongo_db.name, max_await_ms=200)
        stream.open(pipeline, StartPoint())
        return stream

    return open_


def read(stream: ChangeStream, wanted: int) -> list[Batch]:
    """Read batches until they hold as many events of either kind as wanted."""
    batches: list[Batch] = []
    for _ in range(50):
        batches.append(stream.next_batch())
        if sum(len(batch.events) + len(batch.collection_events) for batch in batches) >= wanted:
            return batches
        if not stream.alive:
            break
    raise AssertionError(f"{wanted} events were wanted, and these came: {batches}")


def keys(batches: list[Batch]) -> list[object]:
    return [event.key for batch in batches for event in batch.events]


def happenings(batches: list[Batch]) -> list[tuple[str, str | None, str | None]]:
    return [
        (event.operation, event.collection, event.renamed_to)
        for batch in batches
        for event in batch.collection_events
    ]


def test_what_happens_to_watched_collections_is_told(
    open_stream: Open, mongo: MongoClient[Document], mongo_db: Database[Document], make_agent: MakeAgent
) -> None:
    stream = open_stream(build_pipeline([make_agent()]))
    mongo_db.tickets.insert_one({"_id": 1})
    mongo_db.tickets.rename("archive")
    mongo_db.staging.insert_one({"_id": 2})
    mongo_db.staging.rename("tickets")
    mongo_db.tickets.drop()
    mongo.drop_database(mongo_db.name)

    batches = read(stream, 5)

    assert keys(batches) == [1]
    assert happenings(batches) == [
        ("rename", "tickets", "archive"),
        ("rename", "staging", "tickets"),
        ("drop", "tickets", None),
        ("dropDatabase", None, None),
    ]


def test_what_happens_to_other_collections_is_not_told(
    open_stream: Open, mongo_db: Database[Document], make_agent: MakeAgent
) -> None:
    stream = open_stream(build_pipeline([make_agent()]))
    mongo_db.others.insert_one({"_id": 1})
    mongo_db.others.rename("more")
    mongo_db.more.drop()
    mongo_db.tickets.insert_one({"_id": 2})

    batches = read(stream, 1)

    assert (keys(batches), happenings(batches)) == ([2], [])


def test_the_parts_of_a_database_share_out_its_documents_and_one_tells_of_collections(
    open_stream: Open, mongo_db: Database[Document], make_agent: MakeAgent
) -> None:
    streams = [open_stream(build_pipeline([make_agent()], unit=Unit(mongo_db.name, n, 3))) for n in range(3)]
    wanted = [*range(20), *(f"key {n}" for n in range(20)), ObjectId(), {"a": 1}, None, 2.5]
    for key in wanted:
        mongo_db.tickets.insert_one({"_id": key})
    mongo_db.tickets.drop()
    mongo_db.tickets.insert_many([{"_id": f"after {n}"} for n in range(20)])

    parts = [read_until(stream, lambda key: str(key).startswith("after ")) for stream in streams]

    seen = [[key for key in keys(batches) if not str(key).startswith("after ")] for batches in parts]
    assert all(seen)
    assert sorted(repr(key) for part in seen for key in part) == sorted(map(repr, wanted))
    assert [happenings(batches) for batches in parts] == [[("drop", "tickets", None)], [], []]


def test_a_key_is_in_the_same_part_as_whatever_number_it_is_written(
    open_stream: Open, mongo_db: Database[Document], make_agent: MakeAgent
) -> None:
    streams = [open_stream(build_pipeline([make_agent()], unit=Unit(mongo_db.name, n, 2))) for n in range(2)]
    for number in range(10):
        for key in (number, Int64(number), float(number)):
            mongo_db.tickets.insert_one({"_id": key})
            mongo_db.tickets.delete_one({"_id": key})
    mongo_db.tickets.insert_many([{"_id": f"after {n}"} for n in range(20)])

    first, second = (
        {
            key
            for key in keys(read_until(stream, lambda key: isinstance(key, str)))
            if not isinstance(key, str)
        }
        for stream in streams
    )

    assert first.isdisjoint(second)
    assert first | second == set(range(10))


def read_until(stream: ChangeStream, is_last: Callable[[object], bool]) -> list[Batch]:
    batches: list[Batch] = []
    for _ in range(50):
        batches.append(stream.next_batch())
        if any(is_last(event.key) for event in batches[-1].events):
            return batches
    raise AssertionError("the last event did not come")


def test_a_slim_pipeline_tells_everything_but_the_names(
    open_stream: Open, mongo_db: Database[Document], make_agent: MakeAgent
) -> None:
    stream = open_stream(build_pipeline([make_agent()], slim=True))
    mongo_db.tickets.insert_one({"_id": 1, "_ai_metadata": {"source_agent_id": "triage"}})
    mongo_db.tickets.update_one({"_id": 1}, {"$set": {"text": "new"}})
    mongo_db.tickets.rename("archive")

    batches = read(stream, 3)

    events = [event for batch in batches for event in batch.events]
    assert [(event.operation, event.key, event.changed, event.written_by) for event in events] == [
        ("insert", 1, None, None),
        ("update", 1, None, None),
    ]
    assert happenings(batches) == [("rename", "tickets", "archive")]


def test_names_come_from_set_unset_and_truncated_fields(
    open_stream: Open, mongo_db: Database[Document], make_agent: MakeAgent
) -> None:
    stream = open_stream(build_pipeline([make_agent()]))
    mongo_db.tickets.insert_one({"_id": 1, "a": {"b": 1}, "old": 1, "items": list(range(30))})
    mongo_db.tickets.update_one({"_id": 1}, {"$set": {"a.b": 2}, "$unset": {"old": ""}})
    mongo_db.tickets.update_one({"_id": 1}, [{"$set": {"items": {"$slice": ["$items", 10]}}}])

    batches = read(stream, 3)

    changed = [event.changed for batch in batches for event in batch.events]
    assert changed == [None, {"a.b", "old"}, {"items"}]
