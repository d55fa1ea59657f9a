"""The document as it was before or after one change: images that MongoDB keeps where a collection asks for them.

The watcher's stream carries references only, so a run reads its image with a change stream of its own. One stream
reads one image: both of a large document together would exceed the server's 16 MB.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

import pymongo
from bson import Timestamp
from pymongo import ReadPreference
from pymongo.client_session import ClientSession
from pymongo.errors import OperationFailure, PyMongoError

from enrichment.mongo_errors import mongo_errors
from executions_app.identity import execution_id, unpack_key
from executions_app.transitions import Claimed
from tasks.runtime import Document, Runtime

SEARCH_SECONDS: Final = 10.0
"""How long one image may be looked for; the change is the first that the stream comes to."""

REPLY_MS: Final = 1000
"""How long the server may wait for an event before it replies with none; routers wait for all their shards."""

EMPTY_REPLIES: Final = 2
"""After so many replies without an event there is none."""

_HISTORY_LOST: Final = 286


class Image(Enum):
    """Which state of the document; the value is what a change stream calls it."""

    BEFORE = "fullDocumentBeforeChange"
    AFTER = "fullDocument"


@dataclass(frozen=True, slots=True)
class Change:
    """One change as MongoDB keeps it. `image` is None where there is none, or none any more."""

    operation: str
    time: Timestamp
    image: Document | None


def read_change(runtime: Runtime, run: Claimed, image: Image, *, joined: bool) -> Change | None:
    """Read the change that made this run, or None if the oplog no longer has it.

    Of several changes of the document at the same time, in a transaction, it is the first where edits are `joined`
    into one run, and else the one that gave the run its id.

    Raises the mapped error of an unreachable MongoDB.
    """
    with closing(_changes(runtime, run, image, {})) as changes:
        for token, change in changes:
            if change.time > run.event_time:
                break
            if joined or execution_id(run.agent_id, token) == run.id:
                return change
    return None


def read_deletion(runtime: Runtime, run: Claimed) -> Change | None:
    """Read the first deletion of the run's document since the change that made it, with the state before it.

    Raises the mapped error of an unreachable MongoDB.
    """
    with closing(_changes(runtime, run, Image.BEFORE, {"operationType": "delete"})) as changes:
        return next((change for _, change in changes), None)


def _changes(runtime: Runtime, run: Claimed, image: Image, which: Document) -> Generator[tuple[str, Change]]:
    """Yield the changes of the run's document since its event, with their tokens."""
    key = unpack_key(run.document_key)
    match = {"ns.coll": run.collection, "documentKey._id": {"$eq": key}, **which}
    pipeline = [
        {"$changeStream": {"startAtOperationTime": run.event_time, image.value: "whenAvailable"}},
        {"$match": match},
        {"$project": {"operationType": 1, "clusterTime": 1, "image": f"${image.value}"}},
    ]
    # Nothing yet: an opening that asks for one event reads on to the end of the oplog before it replies, a getMore
    # does not. With 300,000 changes behind the event: 4.7 s against 0.04 s.
    opening = {"aggregate": 1, "pipeline": pipeline, "cursor": {"batchSize": 0}}
    # The server ties a cursor to the session that opened it.
    with (
        mongo_errors(f"read an image of {run.database}.{run.collection}"),
        pymongo.timeout(SEARCH_SECONDS),
        runtime.mongo.start_session(causal_consistency=False) as session,
    ):
        command = _Commands(runtime, run.database, session)
        try:
            cursor = int(command.run(opening)["cursor"]["id"])
        except OperationFailure as error:
            if error.code == _HISTORY_LOST:
                return
            raise
        try:
            yield from _read(command, cursor)
        finally:
            command.kill(cursor)


def _read(command: _Commands, cursor: int) -> Generator[tuple[str, Change]]:
    more = {"getMore": cursor, "collection": "$cmd.aggregate", "batchSize": 1, "maxTimeMS": REPLY_MS}
    empty = 0
    while empty < EMPTY_REPLIES:
        try:
            reply = command.run(more)["cursor"]
        except OperationFailure as error:
            if error.code == _HISTORY_LOST:
                return
            raise
        for raw in reply["nextBatch"]:
            yield raw["_id"]["_data"], Change(raw["operationType"], raw["clusterTime"], raw.get("image"))
        if not reply["id"]:
            return
        empty = 0 if reply["nextBatch"] else empty + 1


@dataclass(frozen=True, slots=True)
class _Commands:
    """Commands on the primary, all in one session."""

    runtime: Runtime
    database: str
    session: ClientSession

    def run(self, command: Document) -> dict[str, Any]:
        return self.runtime.mongo.get_database(self.database).command(
            command,
            codec_options=self.runtime.codec,
            read_preference=ReadPreference.PRIMARY,
            session=self.session,
        )

    def kill(self, cursor_id: int) -> None:
        try:
            self.run({"killCursors": "$cmd.aggregate", "cursors": [cursor_id]})
        except PyMongoError:
            return  # a server that is away frees it by itself
