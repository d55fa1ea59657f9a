"""How far each database's stream is on record. Kept in MongoDB, fenced by the lease's term."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pymongo
from bson import Timestamp
from pymongo.collection import Collection
from pymongo.errors import DuplicateKeyError

from watcher.connection import CALL_SECONDS
from watcher.unit import Unit

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Position:
    """Everything up to here is in the ledger, for the agents in `covers` (see `watcher.starting`).

    `pipeline` names the pipeline that the token is good for.
    """

    token: str
    time: Timestamp
    pipeline: str
    covers: Mapping[str, str]


class PositionStore:
    """Positions in one collection, a document per unit."""

    def __init__(self, collection: Collection[Document]) -> None:
        self._collection = collection

    def load(self, unit: Unit) -> Position | None:
        """Read the stored position of a unit's stream, or None if there is none."""
        with pymongo.timeout(CALL_SECONDS):
            found = self._collection.find_one({"_id": unit.name})
        if found is None:
            return None
        return Position(found["token"]["_data"], found["cluster_time"], found["pipeline"], found["covers"])

    def highest_term(self) -> int:
        """Return the latest term that has written a position, or 0. Raises pymongo's errors."""
        with pymongo.timeout(CALL_SECONDS):
            found = self._collection.find_one({}, sort=[("term", -1)])
        return int(found["term"]) if found else 0

    def save(self, unit: Unit, position: Position, *, term: int, now: datetime) -> bool:
        """Store a position. False: a newer term holds it, and this process must stop reading."""
        fields = {
            "database": unit.database,
            "collection": None,
            "token": {"_data": position.token},
            "cluster_time": position.time,
            "pipeline": position.pipeline,
            "covers": dict(position.covers),
            "term": term,
            "updated_at": now,
        }
        not_fenced = {"_id": unit.name, "term": {"$lte": term}}
        change = {"$set": fields, "$setOnInsert": {"created_at": now}}
        try:
            with pymongo.timeout(CALL_SECONDS):
                self._collection.update_one(not_fenced, change, upsert=True)
        except DuplicateKeyError:
            return False
        return True
