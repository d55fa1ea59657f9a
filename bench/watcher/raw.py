"""The ceiling: how fast a loop that does nothing reads the same events through the same pipeline."""

from __future__ import annotations

import time
from typing import Any, Final

from bson import Timestamp
from pymongo import MongoClient

from bench.fleet import Document

BATCH: Final = 1000


def streams(mongo: MongoClient[Document]) -> list[Document]:
    """Return the `aggregate` command of each open change stream, as the server holds it."""
    operations = mongo.admin.aggregate([{"$currentOp": {"allUsers": True, "idleCursors": True}}])
    found: dict[int, Document] = {}
    for operation in operations:
        cursor = operation.get("cursor", {})
        command = cursor.get("originatingCommand", {})
        first = (command.get("pipeline") or [{}])[0]
        if "$changeStream" in first:
            found[cursor["cursorId"]] = command
    return list(found.values())


def now_of(mongo: MongoClient[Document]) -> Timestamp:
    """Return a cluster time that everything written from now on is at or after."""
    reply: Timestamp = mongo.admin.command("ping")["operationTime"]
    return Timestamp(reply.time, reply.inc + 1)


def drain(mongo: MongoClient[Document], command: Document, since: Timestamp, events: int) -> float:
    """Read so many events from that time on and do nothing with them; returns events per second.

    The clock starts with the first event, as it does for the watcher.
    """
    stages: list[Any] = [{"$changeStream": {"startAtOperationTime": since}}, *command["pipeline"][1:]]
    database = mongo.get_database(command["$db"])
    with database.aggregate(stages, batchSize=BATCH, maxAwaitTimeMS=1000) as cursor:
        next(cursor)
        started = time.perf_counter()
        for _ in range(events - 1):
            next(cursor)
        return (events - 1) / (time.perf_counter() - started)
