"""A change stream on a real server: references only, visible batches, positions that move when idle."""

from __future__ import annotations

from typing import Any

import bson
import pytest
from bson import Binary, Decimal128, ObjectId
from bson.raw_bson import RawBSONDocument
from pymongo import MongoClient
from pymongo.database import Database
from pymongo.errors import OperationFailure

from watcher.reading.event import ChangeEvent
from watcher.reading.stream import ChangeStream, StartPoint

Document = dict[str, Any]
PIPELINE: list[Document] = [
    {"$match": {"ns.coll": {"$in": ["tickets"]}, "operationType": {"$in": ["insert", "update", "delete"]}}},
    {"$project": {"operationType": 1, "ns": 1, "documentKey": {"_id": 1}, "clusterTime": 1}},
]


@pytest.fixture
def stream(mongo: MongoClient[Document], mongo_db: Database[Document]) -> ChangeStream:
    """A stream on the test's database, open from now on."""
    opened = ChangeStream(mongo, mongo_db.name, max_await_ms=200)
    opened.open(PIPELINE, StartPoint())
    return opened


def read(stream: ChangeStream, wanted: int) -> list[ChangeEvent]:
    """Read batches until there are as many events as wanted."""
    events: list[ChangeEvent] = []
    for _ in range(50):
        events += stream.next_batch().events
        if len(events) >= wanted:
            return events
    raise AssertionError(f"only {len(events)} of {wanted} events came")


def test_events_come_in_order_and_carry_keys_of_any_type(
    stream: ChangeStream, mongo_db: Database[Document]
) -> None:
    keys = [ObjectId(), "5f" * 12, 0, 1.5, {"a": 1}, Decimal128("7"), Binary(b"x", 5), True, None]
    for key in keys:
        mongo_db.tickets.insert_one({"_id": key, "text": "x"})

    assert [event.key for event in read(stream, len(keys))] == keys


def test_other_collections_stay_on_the_server(stream: ChangeStream, mongo_db: Database[Document]) -> None:
    mongo_db.others.insert_one({"_id": 1})
    mongo_db.tickets.insert_one({"_id": 2})

    assert [event.key for event in read(stream, 1)] == [2]


def test_the_position_moves_while_nothing_matches(stream: ChangeStream, mongo_db: Database[Document]) -> None:
    before = stream.next_batch()
    mongo_db.others.insert_many([{"n": n} for n in range(10)])

    after = stream.next_batch()

    assert after.events == ()
    assert after.time > before.time


def test_a_stream_opened_behind_a_token_gives_what_came_after(
    stream: ChangeStream, mongo: MongoClient[Document], mongo_db: Database[Document]
) -> None:
    mongo_db.tickets.insert_one({"_id": 1})
    [first] = read(stream, 1)
    mongo_db.tickets.insert_one({"_id": 2})
    again = ChangeStream(mongo, mongo_db.name, max_await_ms=200)

    again.open(PIPELINE, StartPoint(token=first.token))

    assert [event.key for event in read(again, 1)] == [2]


def test_a_stream_opened_at_a_time_gives_that_event_again_with_the_same_token(
    stream: ChangeStream, mongo: MongoClient[Document], mongo_db: Database[Document]
) -> None:
    mongo_db.tickets.insert_one({"_id": 1})
    [first] = read(stream, 1)
    again = ChangeStream(mongo, mongo_db.name, max_await_ms=200)

    again.open([*PIPELINE, {"$addFields": {"another": "pipeline"}}], StartPoint(time=first.cluster_time))

    assert read(again, 1)[0].token == first.token


def test_a_dropped_database_ends_the_stream_and_is_no_error(
    stream: ChangeStream, mongo: MongoClient[Document], mongo_db: Database[Document]
) -> None:
    mongo_db.tickets.insert_one({"_id": 1})
    read(stream, 1)
    mongo.drop_database(mongo_db.name)

    for _ in range(50):
        if not stream.alive:
            return
        stream.next_batch()

    raise AssertionError("the stream outlived its database")


def test_a_dropped_collection_does_not_end_the_stream(
    stream: ChangeStream, mongo_db: Database[Document]
) -> None:
    mongo_db.tickets.insert_one({"_id": 1})
    mongo_db.tickets.drop()
    mongo_db.tickets.insert_one({"_id": 2})

    assert [event.key for event in read(stream, 2)] == [1, 2]


def test_a_closed_stream_leaves_no_cursor_on_the_server(
    stream: ChangeStream, mongo: MongoClient[Document]
) -> None:
    cursors = mongo.admin.command("serverStatus")["metrics"]["cursor"]["open"]["total"]

    stream.close()

    assert mongo.admin.command("serverStatus")["metrics"]["cursor"]["open"]["total"] < cursors
    assert not stream.alive


def test_other_threads_work_on_the_same_client_does_not_end_the_stream(
    stream: ChangeStream, mongo: MongoClient[Document], mongo_db: Database[Document]
) -> None:
    with mongo.start_session() as held_by_another:
        mongo.admin.command("ping", session=held_by_another)
        mongo_db.tickets.insert_one({"_id": 1})

        assert [event.key for event in read(stream, 1)] == [1]


def test_a_document_whose_names_are_no_utf_8_does_not_end_the_stream(
    stream: ChangeStream, mongo_db: Database[Document]
) -> None:
    broken = bson.encode({"_id": "aXb", "nYm": 1}).replace(b"aXb", b"a\xffb").replace(b"nYm", b"n\xffm")
    mongo_db.command({"insert": "tickets", "documents": [RawBSONDocument(broken)]})
    mongo_db.tickets.insert_one({"_id": "next"})

    assert [event.key for event in read(stream, 2)] == ["a\\xffb", "next"]


def test_nonsense_as_a_position_is_an_error_and_not_a_silent_start_at_now(
    mongo: MongoClient[Document], mongo_db: Database[Document]
) -> None:
    with pytest.raises(OperationFailure):
        ChangeStream(mongo, mongo_db.name, max_await_ms=200).open(PIPELINE, StartPoint(token="82FF"))


def test_what_is_read_ahead_comes_in_order_and_without_a_gap(
    stream: ChangeStream, mongo_db: Database[Document]
) -> None:
    mongo_db.tickets.insert_many([{"_id": number} for number in range(3500)])

    seen: list[object] = []
    while len(seen) < 3500:
        seen += [event.key for event in stream.next_batch().events]

    assert seen == list(range(3500))


def test_a_stream_that_is_closed_while_it_reads_ahead_leaves_no_cursor(
    mongo: MongoClient[Document], mongo_db: Database[Document], stream: ChangeStream
) -> None:
    mongo_db.tickets.insert_many([{"_id": number} for number in range(2500)])
    while not stream.next_batch().events:
        pass

    stream.close()

    open_cursors = mongo.admin.aggregate([{"$currentOp": {"idleCursors": True}}])
    assert mongo_db.name not in {operation.get("ns", "").partition(".")[0] for operation in open_cursors}
