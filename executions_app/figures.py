"""How many runs ended how, to the last one: what is counted by the hour, and what has ended since (ADR 0027)."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from statistics import fmean
from typing import Any, Final, NamedTuple

from django.db.models import Count, F, QuerySet, Sum

from executions_app.counting import BEGINNING, ended_after
from executions_app.models import Attempt, Execution, HourTally, TallyCursor
from executions_app.states import ENDS, Status

SAMPLE: Final = 5_000
"""Runs that means are taken of, the newest: of a million, they say as much."""

TRIES: Final = 5


@dataclass(frozen=True, slots=True)
class Figures:
    """Runs by how they ended, and what the model calls took. A call whose price is not known adds nothing."""

    ends: Counter[str]
    tokens: int
    cost_nanousd: int


class Ended(NamedTuple):
    """A run that has ended. Its duration is that of its last try, in milliseconds; None if it never began."""

    status: str
    duration_ms: float | None
    created_at: datetime
    completed_at: datetime

    @property
    def latency_ms(self) -> float:
        """How long it took from being put on record to its end."""
        return (self.completed_at - self.created_at).total_seconds() * 1000


class _Place(NamedTuple):
    """How far the ledger is counted."""

    time: datetime
    id: str
    call: int


def figures(agents: Collection[str] | None = None, *, since: datetime | None = None) -> Figures:
    """Add up what ended, of some agents or all, since the beginning of an hour or ever."""
    found = Figures(Counter(), 0, 0)
    for _ in range(TRIES):
        place = _place()
        found = _joined(_counted(agents, since), _not_counted(place, agents, since))
        # Else a step of counting came in between, and some of it is in both.
        if _place() == place:
            break
    return found


def newest_ended(agents: Collection[str] | None = None, *, since: datetime | None = None) -> list[Ended]:
    """Return the newest runs that have ended, as a sample."""
    columns = Ended._fields
    rows = Execution.objects.filter(completed_at__gte=since or BEGINNING)
    if agents is None:
        return [Ended(*row) for row in rows.order_by("-completed_at").values_list(*columns)[:SAMPLE]]
    return list(_of_each(agents, since or BEGINNING))


def mean_durations(sample: Collection[Ended]) -> dict[str, float]:
    """Return how long runs took on average, by how they ended, in milliseconds."""
    durations: defaultdict[str, list[float]] = defaultdict(list)
    for run in sample:
        if run.duration_ms is not None:
            durations[_as_ended(run.status)].append(run.duration_ms)
    return {status: fmean(values) for status, values in durations.items()}


def _of_each(agents: Collection[str], since: datetime) -> Iterator[Ended]:
    # The index of an agent's runs is by when they were put on record.
    for agent in sorted(agents):
        newest = Execution.objects.filter(agent_id=agent).order_by("-created_at")
        for row in newest.values_list(*Ended._fields)[:SAMPLE]:
            run = Ended(*row)
            if run.completed_at is not None and run.completed_at >= since:
                yield run


def _place() -> _Place:
    found = TallyCursor.objects.filter(id=TallyCursor.ONLY)
    row = found.values_list("counted_time", "counted_id", "counted_call").first()
    return _Place(*row) if row else _Place(BEGINNING, "", 0)


def _counted(agents: Collection[str] | None, since: datetime | None) -> Figures:
    rows = _of(HourTally.objects.all(), "agent_id", agents)
    if since is not None:
        rows = rows.filter(hour__gte=since)
    names = (*(str(status) for status in ENDS), "tokens", "cost_nanousd")
    sums = rows.aggregate(**{name: Sum(F(name)) for name in names})
    ends = Counter({str(status): sums[status] or 0 for status in ENDS})
    return Figures(ends, sums["tokens"] or 0, sums["cost_nanousd"] or 0)


def _not_counted(place: _Place, agents: Collection[str] | None, since: datetime | None) -> Figures:
    rows = _of(ended_after(place.time, place.id), "agent_id", agents)
    calls = _of(Attempt.objects.filter(id__gt=place.call), "execution__agent_id", agents)
    if since is not None:
        rows, calls = rows.filter(completed_at__gte=since), calls.filter(started_at__gte=since)
    ends: Counter[str] = Counter()
    for status, number in rows.order_by().values_list("status").annotate(Count("id")):
        ends[_as_ended(status)] += number
    sums = calls.aggregate(tokens=Sum(F("prompt_tokens") + F("completion_tokens")), cost=Sum("cost_nanousd"))
    return Figures(ends, sums["tokens"] or 0, sums["cost"] or 0)


def _joined(one: Figures, other: Figures) -> Figures:
    return Figures(one.ends + other.ends, one.tokens + other.tokens, one.cost_nanousd + other.cost_nanousd)


def _of(rows: QuerySet[Any], column: str, agents: Collection[str] | None) -> QuerySet[Any]:
    return rows if agents is None else rows.filter(**{f"{column}__in": agents})


def _as_ended(status: str) -> str:
    # A dead letter that was put aside has failed all the same.
    return str(Status.FAILED if status == Status.DISCARDED else status)
