"""Which documents carry an answer to exactly what would be asked now: those need no run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import bson
from bson import Timestamp
from bson.errors import BSONError
from bson.raw_bson import RawBSONDocument
from pymongo import MongoClient, ReadPreference
from pymongo.collection import Collection

from agents_app.errors import MongoClawError
from enrichment.standing import Standing
from enrichment.writeback import DOCUMENT_CODEC
from watcher.backfill.key import RAW, Key, among, key_of
from watcher.backfill.query import find_all
from watcher.backfill.reading import Found
from watcher.backfill.recording import OPERATION

Document = dict[str, Any]

READ_MS = 30_000


class Currency:
    """Compares fingerprints as a worker does. Safe to share between threads.

    A document that says nothing of an answer costs nothing here. Whoever cannot be compared is not current: a
    worker looks at it again before it calls any model.
    """

    def __init__(
        self, client: MongoClient[Document], standing: Standing, *, now: Callable[[], datetime]
    ) -> None:
        self._client = client
        self._standing = standing
        self._now = now

    def current(self, found: Sequence[Found], *, time: Timestamp) -> frozenset[Key]:
        """Return the keys of the documents whose answer is up to date. Raises pymongo's errors."""
        path = self._standing.hash_path
        if path is None or not found:
            return frozenset()
        if self._standing.is_elsewhere:
            stored = self._stored_elsewhere(path, [document.key for document in found])
        else:
            stored = {document.key: document.stored_hash for document in found if document.stored_hash}
        return self._compared(stored, time) if stored else frozenset()

    def _stored_elsewhere(self, path: str, keys: Sequence[Key]) -> dict[Key, str]:
        database, collection = self._standing.spec.target_namespace
        projection = {"_id": 0, "key": {"_id": "$_id"}, "hash": f"${path}"}
        command = {"find": collection, "filter": among(keys), "projection": projection, "maxTimeMS": READ_MS}
        answers, _ = find_all(self._client, database, command)
        stored = ((key_of(answer["key"]), answer.get("hash")) for answer in answers)
        return {key: value for key, value in stored if isinstance(value, str)}

    def _compared(self, stored: Mapping[Key, str], time: Timestamp) -> frozenset[Key]:
        database, name = self._standing.spec.watch_namespace
        plain = self._client.get_database(database).get_collection(name)
        collection: Collection[RawBSONDocument] = plain.with_options(
            codec_options=RAW, read_preference=ReadPreference.PRIMARY
        )
        current: set[Key] = set()
        # One reply at a time: documents may be large.
        with collection.find(among(list(stored)), max_time_ms=READ_MS) as documents:
            for raw in documents:
                try:
                    document = bson.decode(raw.raw, DOCUMENT_CODEC)
                except BSONError:  # text that is no UTF-8: the run of the document says so
                    continue
                key = Key(bson.encode({"_id": document["_id"]}))
                if key in stored and self._hash(document, time) == stored[key]:
                    current.add(key)
        return frozenset(current)

    def _hash(self, document: Document, time: Timestamp) -> str | None:
        try:
            rendered = self._standing.render(
                document, operation=OPERATION, cluster_time=time, now=self._now()
            )
        except MongoClawError:
            return None
        return self._standing.hash_of(rendered)
