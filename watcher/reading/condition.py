"""How a stream is, as its reader goes through it: kept for whoever asks, logged and told when it is news."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Final

import structlog
from django.db import Error as DatabaseError

from agents_app.publish import STREAM_REASON
from agents_app.registry import ActiveAgent
from executions_app.database import drop_broken_connection
from watcher.matching.matcher import Unhealthy
from watcher.reading.detail import BATCH
from watcher.reading.status import StreamState, StreamStatus
from watcher.reading.stream import Batch

BUSY_SECONDS: Final = 10.0
"""The time over which the busy share is averaged."""


class Condition:
    """The status of one stream. Its reader's thread writes it, any thread may read it."""

    def __init__(self, unhealthy: Unhealthy, log: structlog.stdlib.BoundLogger) -> None:
        self._unhealthy = unhealthy
        self._log = log
        self.status = StreamStatus(state=StreamState.STARTING)
        self.asked_at: float | None = None
        self.answered_at: float | None = None

    @contextmanager
    def asking(self, monotonic: Callable[[], float]) -> Iterator[None]:
        """Note that the server is asked, and when it has answered: that may take as long as its oplog is."""
        self.asked_at, self.answered_at = monotonic(), None
        try:
            yield
        finally:
            self.answered_at = monotonic()

    @property
    def is_broken(self) -> bool:
        """Tell whether recoveries were fruitless and the stream has not moved on since."""
        return self.status.state is StreamState.BROKEN

    def is_read(self, batch: Batch, *, moved: bool, monotonic: float) -> None:
        """Note a batch that is on record now. A stream that was broken is so until it has `moved` on."""
        answered_at = self.answered_at or monotonic
        waited, worked = answered_at - (self.asked_at or answered_at), monotonic - answered_at
        is_full = len(batch.events) >= BATCH
        state = StreamState.CATCHING_UP if is_full else StreamState.LIVE
        detail = ""
        if self.is_broken and not moved:
            state, detail = StreamState.BROKEN, self.status.detail
        self.status = StreamStatus(
            state=state,
            polled_at=monotonic,
            time=batch.time,
            lag_seconds=float(max(0, batch.server_time.time - batch.time.time)) if batch.events else 0.0,
            detail=detail,
            busy=_averaged(self.status.busy, waited=waited, worked=worked),
        )

    def waits(self, detail: str) -> None:
        """Note that a server is away or that nothing is to be read; a broken stream stays broken."""
        if not self.is_broken:
            self.status = replace(self.status, state=StreamState.WAITING, lag_seconds=None, detail=detail)

    def is_worse(self, state: StreamState, detail: str, agents: Iterable[ActiveAgent]) -> None:
        """Note that the stream is refused or broken, and let the health of its agents say so."""
        if (self.status.state, self.status.detail) != (state, detail):
            self._log.error("stream.worse", state=state.value, detail=detail)
        self.status = replace(self.status, state=state, lag_seconds=None, detail=detail)
        try:
            for agent in agents:
                self._unhealthy(agent.agent_id, f"{STREAM_REASON}{state}: {detail}")
        except DatabaseError as error:
            self._log.warning("reader.health_not_noted", error=type(error).__name__)
            drop_broken_connection()


def _averaged(busy: float | None, *, waited: float, worked: float) -> float:
    cycle = max(waited + worked, 1e-6)
    now = worked / cycle
    return now if busy is None else busy + (now - busy) * min(1.0, cycle / BUSY_SECONDS)
