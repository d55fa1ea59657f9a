"""How far back changes can be read, and how long a stream that stands still may rely on it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import pymongo
from bson import Timestamp
from pymongo import MongoClient
from pymongo.errors import OperationFailure

from watcher.connection import CALL_SECONDS
from watcher.reading.cluster import oldest_entry

Document = dict[str, Any]

FULL: Final = 0.9
"""An oplog drops entries in large pieces, so its size goes up and down a little below its limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Oplog:
    """The oplog at one moment. `size` and `limit` are in bytes, 0 where the server does not tell."""

    first: Timestamp
    last: Timestamp
    size: int = 0
    limit: int = 0

    @property
    def window(self) -> int:
        """How far back it reaches, in seconds."""
        return max(0, self.last.time - self.first.time)

    @property
    def headroom(self) -> float:
        """Seconds until it begins to drop entries, if it goes on filling as it did."""
        if not self.size or self.size >= FULL * self.limit:
            return 0.0
        return self.window * (self.limit - self.size) / self.size


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerClock:
    """The primary's clock: what it showed at a moment of this process's monotonic clock, in seconds.

    `members` names the replica set; for a sharded cluster it is empty.
    """

    wall: float
    monotonic: float
    members: str = ""

    def now(self, monotonic: float) -> float:
        """The server's time now, in seconds since 1970. This host's wall clock has no part in it."""
        return self.wall + monotonic - self.monotonic


def read_clock(client: MongoClient[Document], *, monotonic: float) -> ServerClock:
    """Ask the primary for its time. Cluster times come from that clock, but never go back with it.

    Raises pymongo's errors.
    """
    with pymongo.timeout(CALL_SECONDS):
        hello = client.admin.command("hello")
    local: datetime = hello["localTime"]
    wall = local.timestamp() if local.tzinfo else (local - datetime(1970, 1, 1)).total_seconds()  # noqa: DTZ001
    cluster = hello.get("$clusterTime", {}).get("clusterTime", Timestamp(0, 0))
    return ServerClock(wall=max(wall, cluster.time), monotonic=monotonic, members=hello.get("setName", ""))


def read_oplog(client: MongoClient[Document]) -> Oplog | None:
    """Read the oplog's ends and size; None where the user may not, and on a sharded cluster.

    Raises pymongo's errors for anything else.
    """
    first = oldest_entry(client)
    local = client.get_database("local")
    try:
        with pymongo.timeout(CALL_SECONDS):
            last = local["oplog.rs"].find_one({}, {"ts": 1}, sort=[("$natural", -1)])
            size = local.command("collStats", "oplog.rs", scale=1)
    except OperationFailure:
        return None
    if first is None or last is None:
        return None
    return Oplog(
        first=first, last=last["ts"], size=int(size.get("size", 0)), limit=int(size.get("maxSize", 0))
    )


def seconds_to_loss(oplog: Oplog, position: Timestamp, *, pace: float = 1.0) -> float:
    """Estimate how long a stream may stand still before the oplog has dropped what follows its position.

    `pace` is how many seconds of history a second drops; what is slower than time itself counts as that fast,
    because writes may come back any moment. 0 if the position is lost already.
    """
    left = position.time - oplog.first.time
    return 0.0 if left < 0 else (left + oplog.headroom) / max(1.0, pace)
