"""Throughput and latency: of the last hour by minute, or of the last day by hour."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from executions_app import counting
from executions_app.console.minutes import MEMORY, Minute
from executions_app.console.panel import Asked, Panel
from executions_app.console.viewer import SEE_FIGURES
from executions_app.histogram import quantile
from executions_app.models import HourTally
from executions_app.states import ENDS, Status
from executions_app.tally import Tally

HOUR: Final = "hour"
DAY: Final = "day"
HOURS: Final = 24


@dataclass(frozen=True, slots=True)
class Point:
    """What ended in a minute or an hour. Latencies are in milliseconds; what is not known is None."""

    at: datetime
    completed: int | None = 0
    skipped: int | None = 0
    failed: int | None = 0
    p50: float | None = None
    p95: float | None = None


@dataclass(frozen=True, slots=True)
class Charts:
    """The points of a span, oldest first, and up to when tallies are counted where the span is made of them."""

    span: str
    points: tuple[Point, ...]
    counted_until: datetime | None = None
    can_choose: bool = True

    @property
    def ended(self) -> int:
        """All runs that ended."""
        return sum(_ended(point) for point in self.points)

    @property
    def failed(self) -> int:
        """Those that failed."""
        return sum(point.failed or 0 for point in self.points)

    @property
    def series(self) -> str:
        """The points as JSON, column by column, for the script that draws them."""
        columns = ("completed", "skipped", "failed", "p50", "p95")
        data: dict[str, Any] = {
            name: [_number(getattr(point, name)) for point in self.points] for name in columns
        }
        return json.dumps({"span": self.span, "at": [point.at.isoformat() for point in self.points], **data})


def look(asked: Asked) -> Charts:
    """Read the span that was chosen. Somebody bound to some agents has hours only: minutes are of all agents."""
    bound = asked.viewer.agents is not None
    if asked.choices.get("span") == DAY or bound:
        return Charts(DAY, _hours(asked), counting.counted_until(), can_choose=not bound)
    present = asked.now.replace(second=0, microsecond=0)
    return Charts(HOUR, tuple(_minutes(MEMORY.look(asked.now), present)))


def _minutes(found: Sequence[Minute | None], present: datetime) -> Iterable[Point]:
    for back, minute in zip(range(len(found) - 1, -1, -1), found, strict=True):
        if minute is None:
            yield Point(present - timedelta(minutes=back), None, None, None)
        else:
            yield Point(minute.begin, minute.completed, minute.skipped, minute.failed, minute.p50, minute.p95)


def _hours(asked: Asked) -> tuple[Point, ...]:
    present = asked.now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    hours = [present - timedelta(hours=back) for back in range(HOURS - 1, -1, -1)]
    rows = HourTally.objects.filter(hour__gte=hours[0], **asked.viewer.narrowed("agent_id"))
    tallies: defaultdict[datetime, Tally] = defaultdict(Tally)
    columns = ("hour", *ENDS, "latency")
    for hour, *numbers, latency in rows.values_list(*columns):
        tallies[hour].ends.update(dict(zip(ENDS, numbers, strict=True)))
        tallies[hour].latency.update({int(bucket): number for bucket, number in latency.items()})
    return tuple(_point(hour, tallies[hour]) for hour in hours)


def _point(hour: datetime, tally: Tally) -> Point:
    p50, p95 = (quantile(tally.latency, share) for share in (0.50, 0.95))
    ends = tally.ends
    return Point(hour, ends[Status.COMPLETED], ends[Status.SKIPPED], ends[Status.FAILED], p50, p95)


def _ended(point: Point) -> int:
    return (point.completed or 0) + (point.skipped or 0) + (point.failed or 0)


def _number(value: float | None) -> float | None:
    return None if value is None else round(value, 1)


PANEL: Final = Panel(
    name="charts", title="Throughput and latency", needs=SEE_FIGURES, look=look, seconds=5, wide=True
)
