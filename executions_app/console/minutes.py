"""The last hour minute by minute, from the ends of runs: finer and fresher than the hourly tallies.

A minute that is over is read once and remembered by the process. One with many ends is counted from indexes, and its
latencies are those of the first few hundred.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock
from typing import Final

from executions_app.models import Execution
from executions_app.states import DEAD, Status

SHOWN: Final = 60
"""Minutes that are shown, the present one included."""

EXACT: Final = 200
"""So many ends of a minute are read; if there are more, they are counted."""

MOST: Final = 50_000
"""Ends of a minute that are counted."""

AT_ONCE: Final = 4
"""Minutes that one look reads anew; the older ones follow with the next looks."""

SETTLED: Final = timedelta(seconds=30)
"""A minute is final so long after its end: clocks of workers may differ by less."""

FRESH: Final = timedelta(seconds=2)
"""How old what is known of a minute may be that is not final: the panels that show it do not each read it."""

A_MINUTE: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Minute:
    """How runs ended in a minute. Latencies are those of completed runs, in milliseconds; None where there are none."""

    begin: datetime
    completed: int = 0
    skipped: int = 0
    failed: int = 0
    p50: float | None = None
    p95: float | None = None

    @property
    def ended(self) -> int:
        """All that ended."""
        return self.completed + self.skipped + self.failed


class Memory:
    """The minutes of the last hour as they were read, shared by all threads of a process."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._seen: dict[datetime, tuple[datetime, Minute]] = {}

    def look(self, now: datetime) -> tuple[Minute | None, ...]:
        """Return the last hour, oldest first; None is a minute that a later look will know."""
        present = now.replace(second=0, microsecond=0)
        begins = [present - A_MINUTE * back for back in range(SHOWN)]
        with self._lock:
            self._seen = {begin: self._seen[begin] for begin in begins if begin in self._seen}
            known = {begin: minute for begin, (at, minute) in self._seen.items() if _lasts(begin, at, now)}
        wanted = [begin for begin in begins if begin not in known][:AT_ONCE]
        read = {begin: _read(begin) for begin in wanted}
        with self._lock:
            self._seen.update((begin, (now, minute)) for begin, minute in read.items())
        return tuple((known | read).get(begin) for begin in reversed(begins))

    def forget(self) -> None:
        """Empty the memory. For tests, whose databases have the same minutes."""
        with self._lock:
            self._seen.clear()


MEMORY: Final = Memory()


def _lasts(begin: datetime, read_at: datetime, now: datetime) -> bool:
    """Whether what was read of a minute is final, or not yet old."""
    return read_at - begin >= A_MINUTE + SETTLED or timedelta(0) <= now - read_at < FRESH


def _read(begin: datetime) -> Minute:
    ended = Execution.objects.filter(completed_at__gte=begin, completed_at__lt=begin + A_MINUTE)
    rows = list(
        ended.order_by("completed_at", "id").values_list("status", "created_at", "completed_at")[: EXACT + 1]
    )
    counts = Counter(status for status, _, _ in rows)
    took = sorted(
        (end - created).total_seconds() * 1000
        for status, created, end in rows
        if status == Status.COMPLETED and end is not None
    )
    latencies = (_share(took, 0.50), _share(took, 0.95))
    failed = sum(counts[status] for status in DEAD)
    if len(rows) <= EXACT:
        return Minute(begin, counts[Status.COMPLETED], counts[Status.SKIPPED], failed, *latencies)
    total = ended.order_by()[:MOST].count()
    failed = ended.filter(status=Status.FAILED).order_by()[:MOST].count()
    well = max(0, total - failed)
    # Which of the others were skipped is not in the index; the first ones stand for all.
    skipped = round(well * counts[Status.SKIPPED] / max(1, counts[Status.SKIPPED] + counts[Status.COMPLETED]))
    return Minute(begin, well - skipped, skipped, failed, *latencies)


def _share(values: Sequence[float], share: float) -> float | None:
    return values[math.ceil(share * len(values)) - 1] if values else None
