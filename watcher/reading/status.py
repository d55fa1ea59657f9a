"""What a reader says of its stream: one frozen value, taken whenever somebody asks."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from bson import Timestamp


class StreamState(StrEnum):
    """What a stream is doing."""

    STARTING = "starting"
    LIVE = "live"
    CATCHING_UP = "catching_up"
    WAITING = "waiting"  # a server is away, or a recovery waits for its turn
    PAUSED = "paused"
    REFUSED = "refused"  # its stored position cannot be used; the detail names the remedy
    BROKEN = "broken"  # recoveries were fruitless; it tries again now and then


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamStatus:
    """A stream at one moment.

    `polled_at` is the monotonic clock, in seconds, when the server last answered; `time` is the cluster time up
    to which everything is on record; `lag_seconds` is None until known and 0 when caught up. `busy` is the share
    of the last ten seconds or so that the reader did not spend waiting for events, from 0 to 1.
    """

    state: StreamState
    polled_at: float | None = None
    time: Timestamp | None = None
    lag_seconds: float | None = None
    detail: str = ""
    busy: float | None = None
