"""Reading a chunk of a range in the order of keys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from bson import Timestamp
from bson.raw_bson import RawBSONDocument
from pymongo import MongoClient

from watcher.backfill.key import LAST, Key, bound, key_of
from watcher.backfill.query import find_all
from watcher.backfill.ranges import Bounds

Document = dict[str, Any]

READ_MS: Final = 30_000


@dataclass(frozen=True, slots=True)
class Found:
    """A document: its key, and what it says that its answer was made from (see `Standing.hash_path`)."""

    key: Key
    stored_hash: str | None = None


@dataclass(frozen=True, slots=True)
class Chunk:
    """Documents in the order of keys, as of a cluster time. `exhausted`: the range holds no more."""

    found: tuple[Found, ...]
    time: Timestamp
    exhausted: bool


class Reader:
    """Reads one collection. Safe to share between threads."""

    def __init__(
        self, client: MongoClient[Document], namespace: tuple[str, str], *, hash_path: str | None
    ) -> None:
        self._client = client
        self._database, self._collection = namespace
        # A document of its own, so that its bytes are the key's, whatever type that has.
        self._projection: Document = {"_id": 0, "key": {"_id": "$_id"}}
        if hash_path is not None:
            self._projection["hash"] = f"${hash_path}"

    def read(self, bounds: Bounds, after: Key | None, limit: int) -> Chunk:
        """Read at most `limit` documents behind `after`, or from the range's beginning.

        Bounds of the index and not `$gt`, which compares with values of its own type only. `after` is read once
        more and left out: if it was deleted, skipping one would skip another. Raises pymongo's errors.
        """
        command: Document = {
            "find": self._collection,
            "filter": {},
            "projection": self._projection,
            "hint": {"_id": 1},
            "sort": {"_id": 1},
            "limit": limit + 1,
            "batchSize": limit + 1,
            "maxTimeMS": READ_MS,
        }
        lower = bounds.lower if after is None else after
        if lower is not None:
            command["min"] = bound(lower)
        if bounds.upper is not None:
            command["max"] = bound(bounds.upper)
        documents, time = find_all(self._client, self._database, command)
        exhausted = len(documents) <= limit
        if exhausted and lower is not None and bounds.upper is None:
            documents += self._last()
        # Once each: the end of a clustered collection is open to its greatest key, that of an index is not.
        found = {found.key: found for found in map(_found, documents) if found.key != after}
        return Chunk(tuple(found.values())[:limit], time, exhausted and len(found) <= limit)

    def _last(self) -> list[RawBSONDocument]:
        """Read the document with the greatest key, which no open bound includes."""
        command = {
            "find": self._collection,
            "filter": bound(LAST),
            "projection": self._projection,
            "limit": 1,
        }
        return find_all(self._client, self._database, command)[0]


def _found(document: RawBSONDocument) -> Found:
    stored = document.get("hash")
    return Found(key_of(document["key"]), stored if isinstance(stored, str) else None)
