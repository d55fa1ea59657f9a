"""Events at the server's limits: the projection keeps them small, and none stops the others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import bson
import pytest
from pymongo import MongoClient
from pymongo.database import Database
from pymongo.errors import OperationFailure

from tests.integration.watcher.conftest import MakeAgent
from watcher.reading.event import ChangeEvent, read_event
from watcher.reading.pipeline import build_pipeline

Document = dict[str, Any]
NEARLY_16_MB = int(15.9 * 1024 * 1024)
ALL = {"watch": {"operations": ["insert", "update", "replace", "delete"]}}


class Raw:
    """The events of a database as they come from the server, with their sizes."""

    def __init__(self, database: Database[Document]) -> None:
        self._database = database
        self._since = database.client.admin.command("ping")["operationTime"]

    def events(self, pipeline: list[Document], wanted: int) -> list[Document]:
        """Read this many events since the beginning."""
        opening = {"$changeStream": {"startAtOperationTime": self._since}}
        with self._database.aggregate([opening, *pipeline], batchSize=0) as cursor:
            return [next(cursor) for _ in range(wanted)]


def size(event: Document) -> int:
    return len(bson.encode(event))


@pytest.fixture
def raw(mongo: MongoClient[Document], mongo_db: Database[Document]) -> Iterator[Raw]:
    """The events since now of a collection that keeps images, on a server with room for such writes."""
    mongo.admin.command({"setParameter": 1, "wiredTigerEngineRuntimeConfig": "cache_size=1GB"})
    mongo_db.create_collection("tickets", changeStreamPreAndPostImages={"enabled": True})
    yield Raw(mongo_db)
    mongo_db.tickets.drop()
    mongo.admin.command({"setParameter": 1, "wiredTigerEngineRuntimeConfig": "cache_size=256MB"})


def test_changes_of_the_largest_documents_are_small_events(
    raw: Raw, mongo_db: Database[Document], make_agent: MakeAgent
) -> None:
    mongo_db.tickets.insert_one({"_id": 1, "text": "x" * NEARLY_16_MB})
    mongo_db.tickets.update_one({"_id": 1}, {"$set": {"text": "y" * NEARLY_16_MB}})
    mongo_db.tickets.replace_one({"_id": 1}, {"text": "z" * NEARLY_16_MB})
    mongo_db.tickets.delete_one({"_id": 1})

    events = raw.events(build_pipeline([make_agent(**ALL)]), 4)

    assert [event["operationType"] for event in events] == ["insert", "update", "replace", "delete"]
    assert events[1]["changed"] == ["text"]
    assert max(map(size, events)) < 500


def change_fields(database: Database[Document], parent: str, count: int) -> None:
    """Change so many fields below another by one update; `$set` of so many would take the server minutes."""
    names = [f"k{number}" for number in range(count)]
    padding = {"padding": "x" * 4_000_000}  # so that the server does not write the parent as a whole
    database.tickets.insert_one({"_id": 1, parent: {**dict.fromkeys(names, 0), **padding}})
    ones = {"$arrayToObject": {"$literal": [{"k": name, "v": 1} for name in names]}}
    database.tickets.update_one({"_id": 1}, [{"$set": {parent: {"$mergeObjects": [f"${parent}", ones]}}}])


def test_an_update_of_a_hundred_thousand_fields_is_one_event_with_all_their_names(
    raw: Raw, mongo_db: Database[Document], make_agent: MakeAgent
) -> None:
    change_fields(mongo_db, "d", 100_000)

    _, update = raw.events(build_pipeline([make_agent()]), 2)
    event = read_event(update)

    assert isinstance(event, ChangeEvent)
    assert event.changed == frozenset(f"d.k{number}" for number in range(100_000))
    assert size(update) < 3_000_000


def test_an_update_whose_names_are_too_much_is_a_small_event_without_them(
    raw: Raw, mongo_db: Database[Document], make_agent: MakeAgent
) -> None:
    change_fields(mongo_db, "p" * 1000, 20_000)
    agent = make_agent()

    with pytest.raises(OperationFailure) as refused:
        raw.events(build_pipeline([agent]), 2)
    events = raw.events(build_pipeline([agent], slim=True), 2)

    assert refused.value.code == 10334
    assert [event["operationType"] for event in events] == ["insert", "update"]
    assert max(map(size, events)) < 500
