"""The figures at the top: what waits, what is done, what failed, and what it costs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from executions_app.console import letters, queue, spending
from executions_app.console.minutes import MEMORY
from executions_app.console.panel import Asked, Panel
from executions_app.console.spending import Sums
from executions_app.console.viewer import SEE_FIGURES, SEE_RUNS

LAST: Final = 5
"""Minutes that the present pace is told of."""


@dataclass(frozen=True, slots=True)
class Pace:
    """What ended in the last minutes, a minute, how many failed, and the 95th percentile of the middle minute in ms."""

    ended: float
    failed: int
    p95: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Figures of all agents in sight; ages are in milliseconds.

    The pace is None for who does not see all agents, and the number of dead letters for who does not see runs.
    """

    waiting: int
    at_least: bool
    oldest_ms: float | None
    queued: int
    running: int
    pace: Pace | None
    today: Sums
    letters: int | None
    letters_at_least: bool


def look(asked: Asked) -> Summary:
    """Look at the queue, the last minutes, the day and the dead letters."""
    viewer, seen = asked.viewer, queue.look(asked.now)
    lines = [line for agent, line in seen.waiting.items() if viewer.sees(agent)]
    dead = letters.count(viewer) if viewer.may(SEE_RUNS) else None
    return Summary(
        waiting=sum(line.due for line in lines),
        at_least=any(line.at_least for line in lines),
        oldest_ms=max((line.age_ms for line in lines), default=None),
        queued=sum(rows for agent, rows in seen.load.queued.items() if viewer.sees(agent)),
        running=sum(rows for agent, rows in seen.load.running.items() if viewer.sees(agent)),
        pace=_pace(asked) if viewer.agents is None else None,
        today=spending.total_of(spending.sums_by_agent(asked, since=spending.midnight(asked.now))),
        letters=dead,
        letters_at_least=dead == letters.COUNTED,
    )


def _pace(asked: Asked) -> Pace:
    """Tell the pace of the last whole minutes and the present one."""
    recent = [minute for minute in MEMORY.look(asked.now)[-LAST - 1 :] if minute is not None]
    slow = [minute.p95 for minute in recent if minute.p95 is not None]
    span = max(timedelta(minutes=1), asked.now - recent[0].begin) if recent else timedelta(minutes=1)
    return Pace(
        ended=sum(minute.ended for minute in recent) / (span.total_seconds() / 60),
        failed=sum(minute.failed for minute in recent),
        # The middle one of the minutes' figures, so that one odd minute is not the whole story.
        p95=sorted(slow)[len(slow) // 2] if slow else None,
    )


PANEL: Final = Panel(name="summary", title="Now", needs=SEE_FIGURES, look=look, seconds=3, wide=True)
