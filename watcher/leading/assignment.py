"""One unit that this process reads: its tenure, its reader, and what is said of both."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final

import structlog

from agents_app.registry import ActiveAgent
from watcher.leading.control import Control
from watcher.leading.tenure import HUNG_SECONDS, Tenure
from watcher.observing.readiness import Led
from watcher.process import SideTaskDied
from watcher.reading.reader import Reader, Reading
from watcher.reading.status import StreamState, StreamStatus
from watcher.unit import Unit

log = structlog.get_logger(__name__)

LEAVING_PATIENCE: Final = 2.0
"""Seconds that a reader which makes room for another one may take to store its position."""

SLOW_ANSWER: Final = 5.0
"""Seconds after which an answer that has not come yet is worth a word."""

POLLING: Final = frozenset({StreamState.STARTING, StreamState.LIVE, StreamState.CATCHING_UP})
"""What a reader is in while it must hear from the server time and again."""


class Assignment:
    """A unit that this process holds the lease of. One thread keeps it; the tenures' thread may stop it."""

    tenure: Tenure

    def __init__(self, unit: Unit, reading: Reading, monotonic: Callable[[], float]) -> None:
        self.unit = unit
        self._reading = reading
        self._monotonic = monotonic
        self._since = self._started_at = monotonic()
        self._reader: Reader | None = None
        self._agents: Sequence[ActiveAgent] = ()
        self._control = Control()
        self._still = StreamStatus(state=StreamState.STARTING)
        self._leaving_since: float | None = None

    def run(self, agents: Sequence[ActiveAgent], control: Control) -> None:
        """Have a reader at work for these agents, begun under these controls.

        Under others the unit is let go, and whoever takes it begins a reader anew under another term: so none that
        is slow to end is in the way. Raises SideTaskDied if the reader failed for good.
        """
        reader = self._reader
        if reader is not None and (control.layout, control.generation) != self._begun_under():
            self.leave()
            return
        if reader is not None and agents is not self._agents:
            reader.watch(agents)
            self._agents = agents
        if self._has_ended():
            self._control, self._agents = control, agents
            self._started_at = self._monotonic()
            self._reader = Reader(
                self._reading, self.unit, agents, term=self.tenure.term, layout=control.layout
            )
            self._reader.start()

    def rest(self, state: StreamState, detail: str = "") -> None:
        """Have no reader at work, and say why."""
        self._still = replace(self.status(), state=state, detail=detail)
        self.stop()
        if self._has_ended():
            self._reader = None

    def stop(self) -> None:
        """Ask the reader to end; safe from any thread."""
        reader = self._reader
        if reader is not None:
            reader.stop()

    def join(self, seconds: float) -> None:
        """Wait for the reader's end."""
        if self._reader is not None:
            self._reader.join(seconds)

    def leave(self) -> bool:
        """Ask the reader to end for good; True once it has, or has taken too long.

        One that does not end in time does no harm: a later term fences its rows and its positions.
        """
        if self._leaving_since is None:
            self._leaving_since = self._monotonic()
        self.stop()
        waited = self._monotonic() - self._leaving_since
        return self._reader is None or not self._reader.is_alive() or waited > LEAVING_PATIENCE

    @property
    def is_over(self) -> bool:
        """Whether the lease has to be given up: on its way out, hung, or fenced by a later term."""
        fenced = self._reader is not None and self._reader.fenced
        return self._leaving_since is not None or fenced or self.is_hung

    @property
    def is_hung(self) -> bool:
        """Whether the reader has been busy with something else than MongoDB for long, and does not wait for it.

        While MongoDB has a question of it, it does not hang: a first answer takes as long as the oplog that MongoDB
        has to look through, and the driver cuts a dead line.
        """
        if self._reader is None or self._reader.status().state not in POLLING:
            return False
        asked_at, answered_at = self._reader.contact()
        if asked_at is not None and answered_at is None:
            return False
        return self._monotonic() - max(self._started_at, answered_at or self._started_at) > HUNG_SECONDS

    def status(self) -> StreamStatus:
        """Say how the stream is; safe from any thread."""
        reader = self._reader
        if reader is None:
            return self._still
        status = reader.status()
        asked_at, answered_at = reader.contact()
        if status.detail or asked_at is None or answered_at is not None:
            return status
        asked_for = self._monotonic() - asked_at
        if asked_for < SLOW_ANSWER:
            return status
        return replace(status, detail=f"MongoDB has been looking through its oplog for {asked_for:.0f} s")

    def led(self) -> Led:
        """Say since when and under which term it is read, and how it is."""
        return Led(since=self._since, term=self.tenure.term.number, status=self.status())

    def state(self) -> dict[str, Any]:
        """Say the same for the lease's document, where other processes read it."""
        status = self.status()
        polled_at = self._started_at if status.polled_at is None else status.polled_at
        return {
            "state": status.state.value,
            "polled_ago": self._monotonic() - polled_at,
            "cluster_time": status.time,
            "lag_seconds": status.lag_seconds,
            "busy": status.busy,
            "detail": status.detail,
        }

    def _begun_under(self) -> tuple[int, int]:
        return self._control.layout, self._control.generation

    def _has_ended(self) -> bool:
        """Whether no reader is at work. Raises SideTaskDied if it failed for good."""
        reader = self._reader
        if reader is None:
            return True
        if reader.failure is not None:
            raise SideTaskDied(f"the reader of {self.unit.name} died") from reader.failure
        return not reader.is_alive()
