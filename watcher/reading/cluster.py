"""What the cluster says of itself: who it is, what time it has, and how far back its oplog reaches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pymongo
from bson import ObjectId, Timestamp
from pymongo import MongoClient
from pymongo.errors import OperationFailure

from watcher.connection import CALL_SECONDS

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster at one moment. `id` is None where the user may not ask for it."""

    id: str | None
    time: Timestamp


def look_at(client: MongoClient[Document]) -> Cluster:
    """Ask a cluster who it is and what time it has.

    Raises pymongo's errors.
    """
    with pymongo.timeout(CALL_SECONDS):
        return Cluster(_replica_set_id(client) or _sharded_cluster_id(client), time_of(client))


def time_of(client: MongoClient[Document]) -> Timestamp:
    """Return the cluster time of the latest operation."""
    with pymongo.timeout(CALL_SECONDS):
        time: Timestamp = client.admin.command("ping")["operationTime"]
    return time


def oldest_entry(client: MongoClient[Document]) -> Timestamp | None:
    """Return the time of the oplog's first entry, or None where it cannot be read, as behind a mongos."""
    try:
        with pymongo.timeout(CALL_SECONDS):
            first = client.local["oplog.rs"].find_one({}, {"ts": 1}, sort=[("$natural", 1)])
    except OperationFailure:
        return None
    return first["ts"] if first else None


def _replica_set_id(client: MongoClient[Document]) -> str | None:
    try:
        found = client.admin.command("replSetGetConfig")["config"].get("settings", {})
    except OperationFailure:
        return None
    return _text(found.get("replicaSetId"))


def _sharded_cluster_id(client: MongoClient[Document]) -> str | None:
    try:
        found = client.config.version.find_one({}, {"clusterId": 1}) or {}
    except OperationFailure:
        return None
    return _text(found.get("clusterId"))


def _text(identity: object) -> str | None:
    return str(identity) if isinstance(identity, ObjectId) else None
