"""One open change stream, read batch by batch.

The cursor is driven with plain `aggregate` and `getMore` commands: a batch has a visible end, so it can be flushed
the moment it is used up instead of on a timer, and its post-batch token is at hand without private attributes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bson import Timestamp
from pymongo import MongoClient, ReadPreference
from pymongo.errors import PyMongoError

from executions_app.identity import CODEC
from watcher.detail import FULL, Asking
from watcher.event import ChangeEvent, CollectionEvent, time_of_token
from watcher.pipeline import Stage

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class StartPoint:
    """Where a stream begins: behind a token, at a cluster time, or (with neither) now."""

    token: str | None = None
    time: Timestamp | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """What one reply of the server held. `token` is the position behind all of it.

    `server_time` is the cluster time at which the server answered.
    """

    events: tuple[ChangeEvent, ...]
    token: str
    time: Timestamp
    server_time: Timestamp
    collection_events: tuple[CollectionEvent, ...] = ()


class ChangeStream:
    """A change stream of one database. Not thread-safe: one thread reads it."""

    def __init__(self, client: MongoClient[Document], database: str, *, max_await_ms: int) -> None:
        self._database = client.get_database(database)
        # The server ties a cursor to the session that opened it, and the driver lends its own to any thread.
        self._session = client.start_session(causal_consistency=False)
        self._max_await_ms = max_await_ms
        self._cursor_id = 0
        self._first: Mapping[str, Any] | None = None
        self._asking = FULL

    def open(self, pipeline: list[Stage], start: StartPoint, asking: Asking = FULL) -> None:
        """Open the stream. `asking` says how many events a reply may hold, and how to read them.

        Raises pymongo's errors; what they mean is told by `watcher.recovery`.
        """
        self._asking = asking
        options: Document = {}
        if start.token is not None:
            options["startAfter"] = {"_data": start.token}
        elif start.time is not None:
            options["startAtOperationTime"] = start.time
        command = {
            "aggregate": 1,
            "pipeline": [{"$changeStream": options}, *pipeline],
            "cursor": {"batchSize": asking.batch_size},
            "readConcern": {"level": "majority"},
        }
        reply = self._run(command)
        self._first = reply
        self._cursor_id = int(reply["cursor"]["id"])

    def next_batch(self) -> Batch:
        """Wait up to `max_await_ms` for events. An empty batch still moves the position.

        Raises pymongo's errors, among them CursorNotFound after an invalidating event or a fail-over.
        """
        if self._first is not None:
            first, self._first = self._first, None
            return self._read(first, first["cursor"]["firstBatch"])
        reply = self._run(
            {
                "getMore": self._cursor_id,
                "collection": "$cmd.aggregate",
                "batchSize": self._asking.batch_size,
                "maxTimeMS": self._max_await_ms,
            }
        )
        self._cursor_id = int(reply["cursor"]["id"])
        return self._read(reply, reply["cursor"]["nextBatch"])

    @property
    def alive(self) -> bool:
        """False once the server has ended the stream, as it does after an invalidating event."""
        return self._first is not None or self._cursor_id != 0

    def close(self) -> None:
        """Let the server free the cursor; a server that is away frees it by itself."""
        try:
            if self._cursor_id:
                self._run({"killCursors": "$cmd.aggregate", "cursors": [self._cursor_id]})
        except PyMongoError:
            return
        finally:
            self._cursor_id = 0
            self._first = None
            self._session.end_session()

    def _run(self, command: Document) -> Document:
        return self._database.command(
            command, codec_options=CODEC, read_preference=ReadPreference.PRIMARY, session=self._session
        )

    def _read(self, reply: Mapping[str, Any], events: list[Document]) -> Batch:
        token: str = reply["cursor"]["postBatchResumeToken"]["_data"]
        found = [self._asking.read(raw) for raw in events]
        return Batch(
            events=tuple(event for event in found if isinstance(event, ChangeEvent)),
            token=token,
            time=time_of_token(token),
            server_time=reply["operationTime"],
            collection_events=tuple(event for event in found if isinstance(event, CollectionEvent)),
        )
