"""Which watchers are alive: a document each, judged by the server's clock."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import pymongo
from pymongo.collection import Collection

from watcher.connection import CALL_SECONDS

Document = dict[str, Any]

FORGOTTEN_AFTER: Final = timedelta(hours=1)
"""The document of a watcher that ended without saying so is taken away."""


@dataclass(frozen=True, slots=True)
class Member:
    """A watcher that lives, and what it is able to do at the moment."""

    holder: str
    roles: frozenset[str]


class Members:
    """The living watchers, and this one among them."""

    def __init__(self, collection: Collection[Document], holder: str, *, duration: timedelta) -> None:
        self._collection = collection
        self._holder = holder
        self._milliseconds = int(duration.total_seconds() * 1000)

    def beat(self, roles: Iterable[str]) -> None:
        """Say that this watcher lives and can do these roles. Raises pymongo's errors."""
        change = {
            "host": {"$literal": socket.gethostname()},
            "pid": os.getpid(),
            "roles": {"$literal": sorted(roles)},
            "started_at": {"$ifNull": ["$started_at", "$$NOW"]},
            "expires_at": {"$add": ["$$NOW", self._milliseconds]},
        }
        with pymongo.timeout(CALL_SECONDS):
            self._collection.update_one({"_id": self._holder}, [{"$set": change}], upsert=True)

    def live(self) -> tuple[Member, ...]:
        """Read who lives. Raises pymongo's errors."""
        with pymongo.timeout(CALL_SECONDS):
            found = list(self._collection.find({"$expr": {"$gt": ["$expires_at", "$$NOW"]}}).sort("_id"))
        return tuple(Member(one["_id"], frozenset(one["roles"])) for one in found)

    def forget_the_dead(self) -> None:
        """Take away what long-gone watchers left. Raises pymongo's errors."""
        gone = {"$subtract": ["$$NOW", int(FORGOTTEN_AFTER.total_seconds() * 1000)]}
        with pymongo.timeout(CALL_SECONDS):
            self._collection.delete_many({"$expr": {"$lt": ["$expires_at", gone]}})

    def leave(self) -> None:
        """Take this watcher's document away, so that the others share at once. Raises pymongo's errors."""
        with pymongo.timeout(CALL_SECONDS):
            self._collection.delete_one({"_id": self._holder})
