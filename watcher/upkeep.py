"""What the watcher that dispatches does for the ledger beside its work: counting, telling others, deleting."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import structlog

from agents_app import registry
from executions_app import counting, due, holds, retention
from executions_app.fence import Term
from executions_app.retention import START, Keeping, Place
from executions_app.triggers import repetition
from executions_app.webhooks import deliveries
from watcher.telling import Courier

log = structlog.get_logger(__name__)

LOOK_SECONDS: Final = 15.0
"""Between two looks at whether anything is to be counted."""

BUSY_SECONDS: Final = 1.0
"""Between an announcement, or a step of counting, and the next."""

IDLE_SECONDS: Final = 2.0
"""The longest pause: a side task that does nothing for long is taken for dead."""

REST: Final = 4
"""A step of deleting is followed by a pause of so many times its length …"""

LONGEST_REST: Final = 5.0
"""… and of so many seconds at most."""

WAITING: Final = timedelta(seconds=1)
"""Live work that is due for longer waits for something, and nothing is deleted meanwhile …"""

PATIENCE_SECONDS: Final = 5.0
"""… but for one step in so many seconds: a fleet that is always busy must not fill its disk."""

SWEEP_SECONDS: Final = 3_600.0
"""Between the end of a sweep and the next. It goes on where the last one ended …"""

RESTART_SECONDS: Final = 86_400.0
"""… and from the beginning once a day, for what was still needed or was kept for longer."""


@dataclass(slots=True, kw_only=True)
class Upkeep:
    """Counting and deleting as work under a lease. Forgets at a loss how far it has swept, and nothing else."""

    keeping: Keeping
    slo_ms: float
    now: Callable[[], datetime]
    monotonic: Callable[[], float]
    courier: Courier | None = None
    _place: Place = field(default=START)
    _swept_at: float = field(default=float("-inf"))
    _began_at: float = field(default=float("-inf"))
    _look_at: float = field(default=float("-inf"))

    def step(self, term: Term) -> float:
        """Count a little, delete a little; returns the seconds until the next step.

        Raises Django's database errors, and Fenced when the term is over.
        """
        now, started = self.now(), self.monotonic()
        if self.courier is not None:
            self.courier.step(now=now, term=term)
        if started >= self._look_at and self._count(term, now, started):
            return BUSY_SECONDS
        return self._sweep(term, now, started) if self._may_sweep(now, started) else IDLE_SECONDS

    def stop(self) -> None:
        """Sweep from the beginning when this process leads again."""
        self._place, self._swept_at, self._began_at = START, float("-inf"), float("-inf")
        if self.courier is not None:
            self.courier.stop()

    def _count(self, term: Term, now: datetime, started: float) -> bool:
        """Count a little; tell whether there is more to count."""
        counted = counting.step(slo_ms=self.slo_ms, now=now, term=term)
        if not counted.more:
            repetition.forget(now=now)
            deliveries.forget(now=now)
            self._look_at = started + LOOK_SECONDS
        return counted.more

    def _may_sweep(self, now: datetime, started: float) -> bool:
        if self.keeping.shortest is None or started < self._swept_at:
            return False
        return started - self._swept_at >= PATIENCE_SECONDS or not _work_waits(now)

    def _sweep(self, term: Term, now: datetime, started: float) -> float:
        if started - self._began_at >= RESTART_SECONDS and self._place != START:
            self._place = START
        if self._place == START:
            self._began_at = started
        swept = retention.step(self._place, self.keeping, now=now, term=term)
        is_over = swept.place is None
        messages = retention.delete_messages(self.keeping, now=now, term=term) if is_over else 0
        ended = self.monotonic()
        dead_letters = swept.dead_letters + messages
        if swept.runs or dead_letters or swept.texts:
            log.info("ledger.swept", runs=swept.runs, dead_letters=dead_letters, calls_erased=swept.texts)
        if swept.place is None:
            self._swept_at = ended + SWEEP_SECONDS
            return IDLE_SECONDS
        self._place, self._swept_at = swept.place, ended
        return min(LONGEST_REST, REST * (ended - started))


def _work_waits(now: datetime) -> bool:
    """Whether anything of an agent at work, backfills aside, has been due for longer than it should."""
    waiting, held = due.due_heads(now - WAITING), holds.recent(now)
    active = {agent.agent_id for agent in registry.active_agents() if not held.of(agent.agent_id)}
    return any(agent in active and heads[0].priority >= 0 for agent, heads in waiting.items())
