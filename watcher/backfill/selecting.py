"""Which documents of a chunk match. The server evaluates the filters, as it does for changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from bson import Timestamp
from pymongo import MongoClient
from pymongo.errors import OperationFailure

from executions_app.filter_fault import is_filter_fault
from watcher.backfill.key import Key, among, key_of
from watcher.backfill.query import find_all

Document = dict[str, Any]

QUERY_MS: Final = 10_000
MOST_QUERIES: Final = 64
"""Per chunk: enough to find a few documents that break a filter among hundreds."""


class FilterRefused(Exception):
    """The server refuses the filter itself, whatever the documents are."""


@dataclass(slots=True)
class _Search:
    """One question about one chunk."""

    not_before: Timestamp
    queries_left: int = MOST_QUERIES


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

        Raises FilterRefused with the server's reason, and pymongo's errors for what may pass.
        """
        if not self._filters or not keys:
            return frozenset(keys)
        search = _Search(not_before)
        try:
            return self._ask(search, keys)
        except OperationFailure as error:
            if not is_filter_fault(error):
                raise
        self.check(not_before=not_before)
        return self._halves(search, keys)

    def check(self, *, not_before: Timestamp | None = None) -> None:
        """Ask about no document at all. Raises FilterRefused, and pymongo's errors."""
        try:
            self._ask(_Search(not_before or Timestamp(1, 1)), [])
        except OperationFailure as error:
            if not is_filter_fault(error):
                raise
            # Asked about no document, so the server's text quotes none.
            raise FilterRefused(str((error.details or {}).get("errmsg") or error)) from None

    def _halves(self, search: _Search, keys: Sequence[Key]) -> frozenset[Key]:
        """Halve the keys until each that breaks the filter stands alone."""
        if len(keys) == 1:
            return frozenset(keys)
        middle = len(keys) // 2
        return self._half(search, keys[:middle]) | self._half(search, keys[middle:])

    def _half(self, search: _Search, keys: Sequence[Key]) -> frozenset[Key]:
        if search.queries_left <= 0:
            return frozenset(keys)
        search.queries_left -= 1
        try:
            return self._ask(search, keys)
        except OperationFailure as error:
            if not is_filter_fault(error):
                raise
        return self._halves(search, keys)

    def _ask(self, search: _Search, keys: Sequence[Key]) -> frozenset[Key]:
        command: Document = {
            "find": self._collection,
            "filter": {"$and": [among(keys), *self._filters]},
            "projection": {"_id": 1},
            "batchSize": len(keys) + 1,
            "maxTimeMS": QUERY_MS,
            "readConcern": {"level": "local", "afterClusterTime": search.not_before},
        }
        found, _ = find_all(self._client, self._database, command)
        return frozenset(key_of(document) for document in found)
