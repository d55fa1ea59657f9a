"""Where positions are kept: documents in MongoDB that refuse a write which comes too late."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pymongo
from bson import Timestamp
from pymongo.collection import Collection
from pymongo.errors import DuplicateKeyError

from executions_app.fence import Fenced
from watcher.connection import CALL_SECONDS
from watcher.reading.cluster import Cluster
from watcher.reading.position import (
    EVERYBODY,
    Entry,
    Mandate,
    Position,
    PositionMoved,
    Stored,
    earliest,
    is_readable,
)
from watcher.unit import Unit

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Listed:
    """A position for whoever wants to know; what is damaged is None and `readable` False."""

    time: Timestamp | None
    updated_at: datetime | None
    generation: int | None
    term: int | None
    layout: int | None
    readable: bool


class PositionStore:
    """Positions in one collection, a document per unit. Every method raises pymongo's errors."""

    def __init__(self, collection: Collection[Document]) -> None:
        self._collection = collection

    def load(self, unit: Unit, cluster: Cluster, *, layout: int = 0) -> Stored:
        """Read where a unit's stream goes on.

        Where its database was divided otherwise before, that is the earliest position of the parts of that time.
        Raises PositionRefused for a document that is damaged, of another cluster, or in the future.
        """
        with pymongo.timeout(CALL_SECONDS):
            found = list(self._collection.find(_of_database(unit.database)))
        read = [Entry.read(document, cluster) for document in found]
        own = next((entry for entry in read if entry.unit == unit), None)
        generation = own.generation if own else 0
        if own is not None and own.layout == layout:
            return Stored(own.position, generation)
        return Stored(earliest([entry for entry in read if entry.layout < layout]), generation)

    def reached(self, database: str, cluster: Cluster) -> Timestamp | None:
        """Say how far all of a database is on record; None if nothing is stored. Raises PositionRefused as `load`."""
        with pymongo.timeout(CALL_SECONDS):
            found = list(self._collection.find(_of_database(database)))
        position = earliest([Entry.read(document, cluster) for document in found])
        return position.time if position else None

    def save(self, position: Position, mandate: Mandate, *, with_covers: bool, now: datetime) -> bool:
        """Store a position; false if one further on is stored, and this one is a replay's.

        Raises Fenced if a newer term or layout has written it, and PositionMoved if an operator has set it.
        """
        at_most = {"term": mandate.term.number, "layout": mandate.layout, "cluster_time": position.time}
        expected: Document = {name: {"$lte": value} for name, value in at_most.items()}
        expected |= {"_id": mandate.unit.name, "generation": mandate.generation}
        fields = _fields(position, mandate) | {"updated_at": now}
        first: Document = {"created_at": now}
        (fields if with_covers else first)["covers"] = dict(position.covers)
        change = {"$set": fields, "$setOnInsert": first}
        try:
            with pymongo.timeout(CALL_SECONDS):
                self._collection.update_one(expected, change, upsert=True)
        except DuplicateKeyError:
            self._check_why_not(mandate)
            return False
        return True

    def _check_why_not(self, mandate: Mandate) -> None:
        """Raise for every reason why a write is refused, but one: what is stored is further on, and stays."""
        with pymongo.timeout(CALL_SECONDS):
            found = self._collection.find_one({"_id": mandate.unit.name}) or {}
        if not is_readable(found) or found["generation"] != mandate.generation:
            raise PositionMoved(stream=mandate.unit.name)
        if found["term"] > mandate.term.number or found["layout"] > mandate.layout:
            raise Fenced(name=mandate.term.name, term=mandate.term.number)

    def place(
        self, database: str, *, time: Timestamp, token: str | None, cluster: Cluster, now: datetime
    ) -> int:
        """Set every position of a database, as an operator wants it; returns how many.

        What was stored may be damaged or missing. A reader's later write of the old position is refused.
        """
        one_more = {"$add": [{"$cond": [{"$isNumber": "$generation"}, {"$toLong": "$generation"}, 0]}, 1]}
        fields: Document = {
            "database": database,
            "token": None if token is None else {"_data": {"$literal": token}},
            "cluster_time": time,
            "pipeline": "",
            "covers": {"$literal": {EVERYBODY: now.isoformat()}},
            "cluster": cluster.id,
            "generation": one_more,
            "updated_at": now,
        }
        for name in ("term", "layout"):
            fields[name] = {"$cond": [{"$isNumber": f"${name}"}, {"$toLong": f"${name}"}, 0]}
        with pymongo.timeout(CALL_SECONDS):
            # One that does not exist is made, for the database as a whole.
            if not self._collection.count_documents(_of_database(database), limit=1):
                self._collection.update_one({"_id": database}, [{"$set": fields}], upsert=True)
                return 1
            return self._collection.update_many(_of_database(database), [{"$set": fields}]).matched_count

    def highest_term(self) -> int:
        """Return the latest term that has written a position, or 0."""
        with pymongo.timeout(CALL_SECONDS):
            found = self._collection.find_one({"term": {"$type": "number"}}, sort=[("term", -1)])
        return int(found["term"]) if found else 0

    def times(self) -> dict[str, Timestamp]:
        """Return the cluster time of every position that can be read, by its unit's name."""
        return {name: entry.time for name, entry in self.listed().items() if entry.readable and entry.time}

    def listed(self) -> Mapping[str, Listed]:
        """Return every position by its unit's name, damaged ones included."""
        with pymongo.timeout(CALL_SECONDS):
            return {str(found["_id"]): _listed(found) for found in self._collection.find({})}


def _of_database(database: str) -> Document:
    return {"_id": {"$regex": rf"^{re.escape(database)}(#\d+/\d+)?$"}}


def _fields(position: Position, mandate: Mandate) -> Document:
    return {
        "database": mandate.unit.database,
        "collection": None,
        "layout": mandate.layout,
        "term": mandate.term.number,
        "cluster": mandate.cluster.id,
        "token": None if position.token is None else {"_data": position.token},
        "cluster_time": position.time,
        "pipeline": position.pipeline,
    }


def _listed(found: Mapping[str, Any]) -> Listed:
    def own(name: str, wanted: type) -> Any:
        value = found.get(name)
        return value if isinstance(value, wanted) else None

    return Listed(
        time=own("cluster_time", Timestamp),
        updated_at=own("updated_at", datetime),
        generation=own("generation", int),
        term=own("term", int),
        layout=own("layout", int),
        readable=is_readable(found),
    )
