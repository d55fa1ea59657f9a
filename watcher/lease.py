"""Who leads: a lease in MongoDB, judged by the server's clock, with a term that only grows."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import Any

import pymongo
from pymongo import ReturnDocument
from pymongo.collection import Collection
from pymongo.errors import DuplicateKeyError

from watcher.connection import CALL_SECONDS

Document = dict[str, Any]


class Lease:
    """A named lease. One holder at a time; each change of holder raises the term, which fences the one before."""

    def __init__(
        self, collection: Collection[Document], name: str, holder: str, *, duration: timedelta
    ) -> None:
        self._collection = collection
        self._name = name
        self._holder = holder
        self._milliseconds = int(duration.total_seconds() * 1000)

    def acquire(self) -> int | None:
        """Take or renew the lease in one conditional write; returns the term, or None while another holds it.

        Raises pymongo's errors.
        """
        with pymongo.timeout(CALL_SECONDS):
            held = self._take()
            if held is None and self._collection.count_documents({"_id": self._name}, limit=1) == 0:
                # The server takes no `$expr` in an upsert: a lease that nobody has held yet begins as a free one.
                with suppress(DuplicateKeyError):
                    self._collection.insert_one({"_id": self._name, "holder": None, "term": 0})
                held = self._take()
        return None if held is None else int(held["term"])

    def rise_above(self, term: int) -> int | None:
        """Raise the term above `term`, or return None if another holds the lease.

        For positions that say of a later term than the lease: the leases were lost, or come from an older backup.
        Raises pymongo's errors.
        """
        with pymongo.timeout(CALL_SECONDS):
            held = self._collection.find_one_and_update(
                {"_id": self._name, "holder": self._holder},
                [{"$set": {"term": {"$add": [{"$max": ["$term", term]}, 1]}}}],
                return_document=ReturnDocument.AFTER,
            )
        return None if held is None else int(held["term"])

    def _take(self) -> Document | None:
        kept = {"$eq": ["$holder", self._holder]}
        free = {"$or": [kept, {"$eq": ["$holder", None]}, {"$lt": ["$expires_at", "$$NOW"]}]}
        change: list[Document] = [
            {
                "$set": {
                    "term": {"$cond": [kept, "$term", {"$add": ["$term", 1]}]},
                    "holder": self._holder,
                    "expires_at": {"$add": ["$$NOW", self._milliseconds]},
                    "renewed_at": "$$NOW",
                }
            }
        ]
        return self._collection.find_one_and_update(
            {"_id": self._name, "$expr": free}, change, return_document=ReturnDocument.AFTER
        )

    def release(self) -> None:
        """Give the lease up at once, so that a successor need not wait for its end. The term stays."""
        with pymongo.timeout(CALL_SECONDS):
            self._collection.update_one(
                {"_id": self._name, "holder": self._holder},
                {"$set": {"holder": None}, "$unset": {"expires_at": ""}},
            )
