"""How far one reader has come, in memory and on record."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from watcher.observing.metrics import POSITION_WRITES
from watcher.reading.position import Mandate, Position
from watcher.reading.position_store import PositionStore
from watcher.reading.recovery import ORIGIN, Reached


@dataclass(frozen=True, slots=True)
class Pace:
    """How often a position is stored: at most each `busy` seconds, and each `idle` seconds when nothing comes."""

    busy: float
    idle: float
    now: Callable[[], datetime]
    monotonic: Callable[[], float]


class Progress:
    """Keeps a stream's position and stores it.

    Methods that store raise Fenced, PositionMoved and pymongo's errors.
    """

    def __init__(self, store: PositionStore, mandate: Mandate, stored: Position | None, pace: Pace) -> None:
        self._store = store
        self._mandate = mandate
        self._pace = pace
        self._on_record = self.position = stored
        self._covers_on_record: Mapping[str, str] | None = None
        self._tried_at = float("-inf")
        self._has_events = False

    @property
    def reached(self) -> Reached:
        """The position as something that can be compared."""
        if self.position is None:
            return ORIGIN
        return self.position.time, self.position.token or ""

    def advance(self, position: Position, *, with_events: bool) -> None:
        """Move on to a position up to which everything is on record, and store it if that is due."""
        self.position = position
        self._has_events = self._has_events or with_events
        patience = self._pace.busy if self._has_events else self._pace.idle
        if self._pace.monotonic() - self._tried_at >= patience:
            self.save()

    def drop_token(self) -> None:
        """Go on from the position's time: the server does not take its token."""
        if self.position is not None:
            self.position = replace(self.position, token=None)

    def save(self) -> None:
        """Store the position if it moved. During a replay the one that is stored stays until it is passed."""
        here, there = self.position, self._on_record
        if here is None or here == there or (there is not None and here.time < there.time):
            return
        self._tried_at = self._pace.monotonic()
        with_covers = here.covers != self._covers_on_record
        if not self._store.save(here, self._mandate, with_covers=with_covers, now=self._pace.now()):
            return
        POSITION_WRITES.labels(self._mandate.unit.name).inc()
        self._on_record, self._covers_on_record, self._has_events = here, here.covers, False
