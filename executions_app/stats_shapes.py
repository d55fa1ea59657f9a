"""The shapes of statistics. Durations are in milliseconds; what is not known is null."""

from __future__ import annotations

from pydantic import Field, RootModel

from agents_app.api_docs import UTC_TIME, Moment, Shape
from executions_app.hold_shapes import Dispatching


class Quantiles(Shape):
    """Estimates, from histograms."""

    p50: float | None
    p95: float | None
    p99: float | None


class ReasonCount(Shape):
    """So many runs ended with a reason."""

    reason: str
    runs: int


class Sums(Shape):
    """What runs of a period have become, and what they cost."""

    runs: int
    completed: int
    skipped: int
    failed: int
    latency_ms: Quantiles
    running_ms: Quantiles
    queue_age_ms: Quantiles
    within_slo: float | None = Field(description="The share of completed runs that were in time.")
    failures: list[ReasonCount]
    skips: list[ReasonCount]
    model_calls: int
    tokens: int
    cost_usd: float | None
    unpriced_calls: int


class AgentSums(Sums):
    """Those of an agent."""

    agent: str


class HourSums(Sums):
    """Those of an hour."""

    hour: str


class ReasonRuns(ReasonCount):
    """So many runs `failed` or were `skipped` with a reason."""

    end: str


class Due(Shape):
    """What of an agent is due. A number that is `at_least` was not counted on."""

    agent: str
    due: int
    at_least: bool
    oldest_due_at: Moment | None = Field(description=UTC_TIME)
    oldest_due_ms: float | None


class Later(Shape):
    """What of an agent waits for its time."""

    agent: str
    rows: int
    at_least: bool
    next_due_at: Moment | None = Field(description=UTC_TIME)


class Waiting(Shape):
    """How it stands at this moment."""

    queue_age_p95_ms: float | None
    agents: list[Due]
    put_off: list[Later]


class _Stats(Shape):
    since: Moment = Field(description=UTC_TIME)
    counted_until: Moment | None = Field(description=UTC_TIME)
    total: Sums
    live: Waiting
    dispatch: Dispatching


class StatsByAgent(_Stats):
    """Told apart by agent."""

    agents: list[AgentSums]


class StatsByHour(_Stats):
    """Told apart by hour."""

    hours: list[HourSums]


class StatsByReason(_Stats):
    """Why runs failed or were skipped."""

    reasons: list[ReasonRuns]


class Statistics(RootModel[StatsByAgent | StatsByHour | StatsByReason]):
    """What has happened since a moment, and what waits now."""
