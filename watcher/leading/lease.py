"""Who leads: a lease in MongoDB, judged by the server's clock, with a term that only grows."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import pymongo
from pymongo import ReturnDocument, UpdateOne, WriteConcern
from pymongo.collection import Collection

from watcher.connection import CALL_SECONDS

Document = dict[str, Any]
Renewal = UpdateOne

_FREE: Final = {
    "$or": [{"$eq": [{"$ifNull": ["$holder", None]}, None]}, {"$lt": ["$expires_at", "$$NOW"]}],
}


@dataclass(frozen=True, slots=True)
class Held:
    """A lease as it stands. `holder` is None when it is free: released, or run out."""

    name: str
    holder: str | None
    term: int
    database: str | None


class Lease:
    """A named lease. One holder at a time; each acquisition raises the term, which fences whoever held it before."""

    def __init__(
        self, collection: Collection[Document], name: str, holder: str, *, duration: timedelta
    ) -> None:
        # Majority: a primary that has been cut off grants nothing that its successor would not know of.
        self._collection = collection.with_options(write_concern=WriteConcern("majority"))
        self._name = name
        self._holder = holder
        self._milliseconds = int(duration.total_seconds() * 1000)

    def acquire(self, *, above: int = 0, about: Mapping[str, Any] | None = None) -> int | None:
        """Take the lease if it is free or this holder's own; returns the new term, or None while another holds it.

        The term rises above `above` too: what knows of a later term than the lease says that the leases were lost or
        come from an older backup. `about` is kept with the lease. Raises pymongo's errors.
        """
        term = {"$add": [{"$max": [{"$ifNull": ["$term", 0]}, above]}, 1]}
        taken: Document = {
            "holder": self._holder,
            "term": term,
            "expires_at": {"$add": ["$$NOW", self._milliseconds]},
            "renewed_at": "$$NOW",
            "host": {"$literal": socket.gethostname()},
            "pid": os.getpid(),
            "state": None,
            **{key: {"$literal": value} for key, value in (about or {}).items()},
        }
        free = {"$or": [_FREE, {"$eq": ["$holder", self._holder]}]}
        # One stage, so that every field still sees the document as it was. What changes nothing is not written.
        change = [{"$set": {key: {"$cond": [free, value, f"${key}"]} for key, value in taken.items()}}]
        with pymongo.timeout(CALL_SECONDS):
            held = self._collection.find_one_and_update(
                {"_id": self._name}, change, upsert=True, return_document=ReturnDocument.AFTER
            )
        return int(held["term"]) if held is not None and held["holder"] == self._holder else None

    def renewal(self, term: int, state: Mapping[str, Any] | None = None) -> Renewal:
        """Build the write that keeps the lease for another duration and says how what it is for is doing."""
        change = {
            "expires_at": {"$add": ["$$NOW", self._milliseconds]},
            "renewed_at": "$$NOW",
            "state": {"$literal": state},
        }
        mine = {"_id": self._name, "holder": self._holder, "term": term}
        return UpdateOne(mine, [{"$set": change}])

    def release(self, term: int) -> None:
        """Give the lease up at once, so that a successor need not wait for its end. The term stays."""
        with pymongo.timeout(CALL_SECONDS):
            self._collection.update_one(
                {"_id": self._name, "holder": self._holder, "term": term},
                {"$set": {"holder": None, "state": None}, "$unset": {"expires_at": ""}},
            )


def renew(collection: Collection[Document], renewals: Sequence[Renewal]) -> list[bool]:
    """Renew leases in one write; says of each whether it is still held under its term. Raises pymongo's errors."""
    if not renewals:
        return []
    collection = collection.with_options(write_concern=WriteConcern("majority"))
    with pymongo.timeout(CALL_SECONDS):
        kept = collection.bulk_write(renewals, ordered=False).matched_count
        if kept == len(renewals):
            return [True] * kept
        return [bool(collection.bulk_write([renewal]).matched_count) for renewal in renewals]


def leases_of(collection: Collection[Document], prefix: str) -> list[Held]:
    """Read all leases whose name begins with `prefix`. Raises pymongo's errors."""
    shown = {
        "holder": {"$cond": [_FREE, None, "$holder"]},
        "term": 1,
        "database": {"$ifNull": ["$database", None]},
    }
    between = {"_id": {"$gte": prefix, "$lt": prefix + "\uffff"}}
    with pymongo.timeout(CALL_SECONDS):
        found = list(collection.aggregate([{"$match": between}, {"$project": shown}]))
    return [Held(one["_id"], one["holder"], int(one["term"]), one["database"]) for one in found]


def retire(collection: Collection[Document], held: Held) -> None:
    """Take away a lease that nobody needs any more, unless somebody has taken it since. Raises pymongo's errors."""
    with pymongo.timeout(CALL_SECONDS):
        collection.with_options(write_concern=WriteConcern("majority")).delete_one(
            {"_id": held.name, "term": held.term, "$expr": _FREE}
        )
