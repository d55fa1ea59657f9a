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
from executions_app.run import Claimed
from tasks.runtime import Document, Runtime

OPENING_SECONDS: Final = 10.0
"""How long MongoDB may take to begin; the change is the first that the stream comes to."""

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
    into one run, and else the one that gave the run its id. A replay's run has an id of its own and gets the first.

    Raises the mapped error of an unreachable MongoDB.
    """
    # Any later change of the database ends the search: the rest of the oplog may be long.
    is_later = {"clusterTime": {"$gt": run.event_time}}
    shown = {"$cond": [{"$gt": ["$clusterTime", run.event_time]}, "$$REMOVE", f"${image.value}"]}
    first = None
    with closing(_changes(runtime, run, image, {"$or": [_of_document(run), is_later]}, shown)) as changes:
        for token, change in changes:
            if change.time > run.event_time:
                break
            if joined or execution_id(run.agent_id, token) == run.id:
                return change
            first = first or change
    return first


def read_deletion(runtime: Runtime, run: Claimed) -> Change | None:
    """Read the first deletion of the run's document since the change that made it, with the state before it.

    A document that went with its collection has none, and what came into its place later is another one. Without
    that end the search would go through the rest of the oplog, once for each document.

    Raises the mapped error of an unreachable MongoDB.
    """
    deletions = {**_of_document(run), "operationType": "delete"}
    ends = {"ns.coll": run.collection, "operationType": {"$in": ["drop", "rename"]}}
    match = {"$or": [deletions, ends]}
    with closing(_changes(runtime, run, Image.BEFORE, match, f"${Image.BEFORE.value}")) as changes:
        first = next((change for _, change in changes), None)
    return first if first is not None and first.operation == "delete" else None


def _of_document(run: Claimed) -> Document:
    return {"ns.coll": run.collection, "documentKey._id": {"$eq": unpack_key(run.document_key)}}


def _changes(
    runtime: Runtime, run: Claimed, image: Image, match: Document, shown: object
) -> Generator[tuple[str, Change]]:
    """Yield the changes that match since the run's event, with their tokens."""
    pipeline = [
        {"$changeStream": {"startAtOperationTime": run.event_time, image.value: "whenAvailable"}},
        {"$match": match},
        {"$project": {"operationType": 1, "clusterTime": 1, "image": shown}},
    ]
    # Nothing yet: an opening that asks for one event reads on to the end of the oplog before it replies, a getMore
    # does not. With 300,000 changes behind the event: 4.7 s against 0.04 s.
    opening = {"aggregate": 1, "pipeline": pipeline, "cursor": {"batchSize": 0}}
    # The server ties a cursor to the session that opened it.
    with (
        mongo_errors(f"read an image of {run.database}.{run.collection}"),
        pymongo.timeout(OPENING_SECONDS),
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
            # A timeout of the driver's would take the place of maxTimeMS: what is not there would be waited for until
            # that, and count as a server that is away. A dead line is cut by the driver's monitor.
            with pymongo.timeout(None):
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
