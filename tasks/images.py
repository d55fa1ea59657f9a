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
"""How long one image may be looked for; the event is the first that the stream comes to."""

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


def read_change(runtime: Runtime, run: Claimed, image: Image) -> Change | None:
    """Read the change that made this run, or None if the oplog no longer has it.

    Of several changes of the document at the same time, in a transaction, it is the one that gave the run its id;
    where edits were joined into the run, it is the first of that time.

    Raises the mapped error of an unreachable MongoDB.
    """
    first = None
    with closing(_changes(runtime, run, image, {"clusterTime": run.event_time})) as changes:
        for token, change in changes:
            if execution_id(run.agent_id, token) == run.id:
                return change
            first = first or change
    return first


def read_deletion(runtime: Runtime, run: Claimed) -> Change | None:
    """Read the first deletion of the run's document since the change that made it, with the state before it.

    Raises the mapped error of an unreachable MongoDB.
    """
    with closing(_changes(runtime, run, Image.BEFORE, {"operationType": "delete"})) as changes:
        return next((change for _, change in changes), None)


def _changes(runtime: Runtime, run: Claimed, image: Image, which: Document) -> Generator[tuple[str, Change]]:
    """Yield the changes of the run's document since its event, with their tokens, until none is left."""
    key = unpack_key(run.document_key)
    match = {"ns.coll": run.collection, "documentKey._id": {"$eq": key}, **which}
    pipeline = [
        {"$changeStream": {"startAtOperationTime": run.event_time, image.value: "whenAvailable"}},
        {"$match": match},
        {"$project": {"operationType": 1, "clusterTime": 1, "image": f"${image.value}"}},
    ]
    place = f"read an image of {run.database}.{run.collection}"
    # The server ties a cursor to the session that opened it.
    with (
        mongo_errors(place),
        pymongo.timeout(SEARCH_SECONDS),
        runtime.mongo.start_session(causal_consistency=False) as session,
    ):
        command = _Commands(runtime, run.database, session)
        try:
            cursor = command.run({"aggregate": 1, "pipeline": pipeline, "cursor": {"batchSize": 1}})["cursor"]
        except OperationFailure as error:
            if error.code == _HISTORY_LOST:
                return
            raise
        try:
            batch = cursor["firstBatch"]
            while batch:
                for raw in batch:
                    yield (
                        raw["_id"]["_data"],
                        Change(raw["operationType"], raw["clusterTime"], raw.get("image")),
                    )
                batch = command.run(_more(cursor["id"]))["cursor"]["nextBatch"]
        finally:
            command.kill(cursor["id"])


def _more(cursor_id: int) -> Document:
    # What is not there at once is not there: the past does not change.
    return {"getMore": cursor_id, "collection": "$cmd.aggregate", "batchSize": 1, "maxTimeMS": 1}


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
