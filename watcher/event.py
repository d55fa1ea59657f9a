"""A change event as the watcher needs it: a reference to a document, never its body."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from bson import Timestamp


@dataclass(frozen=True, slots=True)
class ChangeEvent:
    """One change of one document.

    `changed` holds the dotted names of the fields that an update touched, or None for any other operation.
    `written_by` is the agent named by the document's own metadata when an insert or replace carries it.
    """

    token: str
    operation: str
    database: str
    collection: str
    key: object
    cluster_time: Timestamp
    changed: frozenset[str] | None
    written_by: str | None


def read_event(raw: Mapping[str, Any]) -> ChangeEvent:
    """Read one projected change-stream document (see `watcher.pipeline`)."""
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
