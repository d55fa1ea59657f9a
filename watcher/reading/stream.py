"""One open change stream, read batch by batch.

The cursor is driven with plain `aggregate` and `getMore` commands: a batch has a visible end, so it can be flushed
the moment it is used up instead of on a timer, and its post-batch token is at hand without private attributes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from bson import Timestamp
from pymongo import MongoClient, ReadPreference
from pymongo.errors import PyMongoError

from executions_app.identity import CODEC
from watcher.reading.detail import FULL, Asking
from watcher.reading.event import ChangeEvent, CollectionEvent, time_of_token
from watcher.reading.pipeline import Stage
from watcher.recording.errand import Errand

Document = dict[str, Any]

AHEAD_MS: Final = 100
"""How long a batch that is read ahead may wait for events, in milliseconds: a stop waits as long for it."""


@dataclass(frozen=True, slots=True)
class StartPoint:
    """Where a stream begins: behind a token, at a cluster time, or (with neither) now."""

    token: str | None = None
    time: Timestamp | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """What one reply of the server held. `token` is the position behind all of it.

    `server_time` is the cluster time at which the server answered; `is_first` says that it answered an opening.
    """

    events: tuple[ChangeEvent, ...]
    token: str
    time: Timestamp
    server_time: Timestamp
    collection_events: tuple[CollectionEvent, ...] = ()
    is_first: bool = False


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
        self._ahead: Errand[Document] | None = None

    def open(self, pipeline: list[Stage], start: StartPoint, asking: Asking = FULL) -> None:
        """Open the stream. `asking` says how many events a reply may hold, and how to read them.

        Raises pymongo's errors; what they mean is told by `watcher.reading.recovery`.
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
        reply = self._next_reply()
        self._cursor_id = int(reply["cursor"]["id"])
        events = reply["cursor"].get("nextBatch", reply["cursor"].get("firstBatch"))
        if self._cursor_id and len(events) >= self._asking.batch_size:
            # Behind by more than a batch: the server prepares the next one while this one is put on record.
            get_more = partial(self._get_more, min(self._max_await_ms, AHEAD_MS))
            self._ahead = Errand(get_more, name=f"ahead-{self._database.name}")
        return self._read(reply, events)

    def _next_reply(self) -> Mapping[str, Any]:
        first, self._first = self._first, None
        ahead, self._ahead = self._ahead, None
        if first is not None:
            return first
        return ahead.result() if ahead is not None else self._get_more(self._max_await_ms)

    def _get_more(self, max_await_ms: int) -> Document:
        return self._run(
            {
                "getMore": self._cursor_id,
                "collection": "$cmd.aggregate",
                "batchSize": self._asking.batch_size,
                "maxTimeMS": max_await_ms,
            }
        )

    @property
    def alive(self) -> bool:
        """False once the server has ended the stream, as it does after an invalidating event."""
        return self._first is not None or self._cursor_id != 0

    def close(self) -> None:
        """Let the server free the cursor; a server that is away frees it by itself."""
        # A session serves one thread at a time, so what was asked for ahead is waited for; that is AHEAD_MS long.
        if self._ahead is not None:
            self._ahead.join()
        try:
            if self._cursor_id:
                self._run({"killCursors": "$cmd.aggregate", "cursors": [self._cursor_id]})
        except PyMongoError:
            return
        finally:
            self._cursor_id = 0
            self._first = self._ahead = None
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
            is_first="firstBatch" in reply["cursor"],
        )
