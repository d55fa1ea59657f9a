"""Change events as the watcher needs them: references to documents, never their bodies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from bson import Timestamp

COLLECTION_OPERATIONS: Final = ("drop", "dropDatabase", "rename")
"""What happens to collections and not to documents."""


@dataclass(frozen=True, slots=True)
class ChangeEvent:
    """One change of one document.

    `changed` holds the dotted names of the fields that an update touched. It is None for any other operation, and
    for an update whose names are not known, because the event was too large to be read with them.
    `written_by` is the agent named by the document's own metadata when an insert or replace carries it.
    `wall_time` is the server's clock at the commit, in UTC without saying so; None before MongoDB 6.
    """

    token: str
    operation: str
    database: str
    collection: str
    key: object
    cluster_time: Timestamp
    changed: frozenset[str] | None
    written_by: str | None
    wall_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class CollectionEvent:
    """A watched collection was dropped or renamed, another was renamed to its name, or the database was dropped.

    `collection` is None where the database was dropped. `renamed_to` is the new name in the same database: a
    rename into another database shows as a drop here.
    """

    token: str
    operation: str
    database: str
    collection: str | None
    renamed_to: str | None
    cluster_time: Timestamp


def read_event(raw: Mapping[str, Any]) -> ChangeEvent | CollectionEvent:
    """Read one projected change-stream document (see `watcher.reading.pipeline`)."""
    if raw["operationType"] in COLLECTION_OPERATIONS:
        return _collection_event(raw)
    namespace = raw["ns"]
    names = raw.get("changed")
    return ChangeEvent(
        token=raw["_id"]["_data"],
        operation=raw["operationType"],
        database=namespace["db"],
        collection=namespace["coll"],
        key=raw["documentKey"]["_id"],
        cluster_time=raw["clusterTime"],
        changed=None if names is None else frozenset(names),
        written_by=raw.get("written_by"),
        wall_time=raw.get("wallTime"),
    )


def _collection_event(raw: Mapping[str, Any]) -> CollectionEvent:
    return CollectionEvent(
        token=raw["_id"]["_data"],
        operation=raw["operationType"],
        database=raw["ns"]["db"],
        collection=raw["ns"].get("coll"),
        renamed_to=raw.get("to", {}).get("coll"),
        cluster_time=raw["clusterTime"],
    )


_TIMESTAMP_TYPE: Final = 0x82
_TIME_BYTES: Final = 9


def time_of_token(token: str) -> Timestamp:
    """Read the cluster time that a resume token starts with.

    A token is a KeyString: type byte 0x82 (timestamp), then seconds and increment as 32-bit big-endian numbers.
    Source: MongoDB's `docs/change_streams.md`.

    Raises ValueError for text that is no resume token.
    """
    raw = bytes.fromhex(token[:18])
    if len(raw) < _TIME_BYTES or raw[0] != _TIMESTAMP_TYPE:
        raise ValueError("not a resume token")
    return Timestamp(int.from_bytes(raw[1:5], "big"), int.from_bytes(raw[5:9], "big"))
