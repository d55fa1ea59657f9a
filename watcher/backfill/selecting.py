"""Which documents of a chunk match. The server evaluates the filters, as it does for changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from bson import Timestamp
from pymongo import MongoClient

from watcher.backfill.key import Key, among, key_of
from watcher.backfill.query import find_all
from watcher.matching.search import matching_keys, refuse_unusable

Document = dict[str, Any]

QUERY_MS: Final = 10_000


class Selection:
    """The documents that match all filters. Safe to share between threads."""

    def __init__(
        self,
        client: MongoClient[Document],
        namespace: tuple[str, str],
        filters: Sequence[Mapping[str, Any] | None],
    ) -> None:
        self._client = client
        self._database, self._collection = namespace
        self._filters = [filter_ for filter_ in filters if filter_]

    def matching(self, keys: Sequence[Key], *, not_before: Timestamp) -> frozenset[Key]:
        """Return the keys of documents that match, or break a filter: those fail one by one in a worker.

        Raises FilterUnusable with the server's reason, and pymongo's errors for what may pass.
        """
        if not self._filters or not keys:
            return frozenset(keys)
        return matching_keys(lambda some: self._ask(some, not_before), keys)

    def check(self) -> None:
        """Ask about no document at all. Raises FilterUnusable, and pymongo's errors."""
        refuse_unusable(lambda none: self._ask(none, Timestamp(1, 1)))

    def _ask(self, keys: Sequence[Key], not_before: Timestamp) -> frozenset[Key]:
        command: Document = {
            "find": self._collection,
            "filter": {"$and": [among(keys), *self._filters]},
            "projection": {"_id": 1},
            "batchSize": len(keys) + 1,
            "maxTimeMS": QUERY_MS,
            "readConcern": {"level": "local", "afterClusterTime": not_before},
        }
        found, _ = find_all(self._client, self._database, command)
        return frozenset(key_of(document) for document in found)
