"""Why runs failed in the last day."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from executions_app.console.panel import Asked, Panel
from executions_app.console.viewer import SEE_FIGURES
from executions_app.models import HourTally
from executions_app.states import reason_meaning
from executions_app.stats_wire import ranked

SHOWN: Final = 8
HOURS: Final = 24


@dataclass(frozen=True, slots=True)
class Cause:
    """A reason, the runs that failed of it, and their share of the commonest reason's, from 0 to 100."""

    reason: str
    meaning: str
    runs: int
    share: int


@dataclass(frozen=True, slots=True)
class Failures:
    """The commonest causes, and how many runs failed of others."""

    total: int
    causes: tuple[Cause, ...]
    others: int


def look(asked: Asked) -> Failures:
    """Add up the failures of the last day, the present hour included."""
    hour = asked.now.replace(minute=0, second=0, microsecond=0)
    rows = HourTally.objects.filter(
        hour__gt=hour - timedelta(hours=HOURS), failed__gt=0, **asked.viewer.narrowed("agent_id")
    )
    counts = Counter[str]()
    for failures in rows.values_list("failures", flat=True):
        counts.update(failures)
    order = ranked(counts)
    most = order[0][1] if order else 1
    causes = tuple(
        Cause(reason, reason_meaning(reason), runs, round(100 * runs / most))
        for reason, runs in order[:SHOWN]
    )
    return Failures(counts.total(), causes, sum(runs for _, runs in order[SHOWN:]))


PANEL: Final = Panel(name="failures", title="Failures by reason", needs=SEE_FIGURES, look=look, seconds=5)
