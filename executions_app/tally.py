"""What is added up of runs and of model calls: a value that knows nothing of where it is kept."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

from executions_app.histogram import Histogram, bucket_of
from executions_app.states import Status


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """How and when a run ended. `due_at` and `started_at` are those of its last claim, if it was claimed at all."""

    status: str
    reason: str
    created_at: datetime
    due_at: datetime
    started_at: datetime | None
    completed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What a model call took. A cost of None is a price that is not known."""

    tokens: int
    cost_nanousd: int | None


@dataclass(slots=True)
class Tally:
    """Sums over any number of runs and calls, to which more are added."""

    ends: Counter[str] = field(default_factory=Counter)
    within_slo: int = 0
    latency: Histogram = field(default_factory=Histogram)
    running: Histogram = field(default_factory=Histogram)
    running_ms: int = 0
    waiting: Histogram = field(default_factory=Histogram)
    failures: Counter[str] = field(default_factory=Counter)
    skips: Counter[str] = field(default_factory=Counter)
    model_calls: int = 0
    tokens: int = 0
    cost_nanousd: int = 0
    unpriced_calls: int = 0

    def count_end(self, end: End, *, slo_ms: float) -> None:
        """Count a run's end. Latencies are those of completed runs: one that gave up at once was not quick."""
        # A dead letter that was put aside before it was counted has failed all the same.
        status = Status.FAILED if end.status == Status.DISCARDED else end.status
        self.ends[status] += 1
        if status == Status.COMPLETED:
            took = _milliseconds(end.created_at, end.completed_at)
            self.latency[bucket_of(took)] += 1
            self.within_slo += took <= slo_ms
            if end.started_at is not None:
                ran = _milliseconds(end.started_at, end.completed_at)
                self.running[bucket_of(ran)] += 1
                self.running_ms += max(0, round(ran))
        elif status == Status.FAILED:
            self.failures[end.reason] += 1
        else:
            self.skips[end.reason] += 1
        # A row that was put off after its last claim is due later than that claim; that wait was for nobody.
        if end.started_at is not None and end.started_at >= end.due_at:
            self.waiting[bucket_of(_milliseconds(end.due_at, end.started_at))] += 1

    def count_call(self, call: Call) -> None:
        """Count a model call."""
        self.model_calls += 1
        self.tokens += call.tokens
        self.cost_nanousd += call.cost_nanousd or 0
        self.unpriced_calls += call.cost_nanousd is None

    def add(self, other: Tally) -> None:
        """Add another one's sums."""
        self.ends.update(other.ends)
        self.latency.update(other.latency)
        self.running.update(other.running)
        self.waiting.update(other.waiting)
        self.failures.update(other.failures)
        self.skips.update(other.skips)
        self.within_slo += other.within_slo
        self.running_ms += other.running_ms
        self.model_calls += other.model_calls
        self.tokens += other.tokens
        self.cost_nanousd += other.cost_nanousd
        self.unpriced_calls += other.unpriced_calls


def _milliseconds(since: datetime, until: datetime) -> float:
    return (until - since).total_seconds() * 1000
