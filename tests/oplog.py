"""An oplog that holds a megabyte, made to forget."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bson import Timestamp
from pymongo import MongoClient

FILLER = "x" * 200_000


def forgets(mongo: MongoClient[dict[str, Any]], time: Timestamp) -> Callable[[], bool]:
    """Return a condition: the oplog begins after `time`, and forgets nothing more for the moment.

    Each look writes something, because the server forgets only when somebody writes, and then all it can spare. An
    oplog that is larger than it should be would go on forgetting with the next write, however small that is.
    """

    def is_forgotten() -> bool:
        oldest = mongo.local["oplog.rs"].find_one(sort=[("$natural", 1)])
        size = mongo.local.command("collStats", "oplog.rs")
        is_over = oldest is not None and oldest["ts"] > time
        if is_over and size["size"] <= size["maxSize"]:
            return True
        mongo.filler.things.insert_many([{"text": FILLER} for _ in range(1 if is_over else 20)])
        return False

    return is_forgotten
