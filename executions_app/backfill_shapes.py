"""The shapes of answers about backfills."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from agents_app.api_docs import UTC_TIME, Moment, Shape


class BackfillRecord(Shape):
    """A backfill and how far it is. `estimate` is how many documents it will read, about."""

    id: str
    agent_id: str
    status: str
    waits_for: str | None
    filter: Any
    limit: int | None
    rate: float | None
    origin: str
    estimate: int | None
    read: int
    recorded: int
    current: int = Field(description="Left out: their answer is up to date.")
    share: float | None = Field(description="How much is done, from 0 to 1; null if that is not known.")
    ranges: int
    ranges_done: int
    error: str | None
    created_at: Moment = Field(description=UTC_TIME)
    started_at: Moment | None = Field(description=UTC_TIME)
    ended_at: Moment | None = Field(description=UTC_TIME)


class BackfillPage(Shape):
    """A part of a list of backfills; `total` counts all that the query means."""

    backfills: list[BackfillRecord]
    total: int
    skip: int
    limit: int


class SampledDocuments(Shape):
    """What some of the documents say. `fault` is why a prompt could not be rendered."""

    documents: int
    current: int
    broken: int
    fault: str | None


class BackfillEstimate(Shape):
    """What a backfill would do. `counted` is `exactly`, or how the number was come by."""

    documents: int
    counted: str
    runs: int
    sampled: SampledDocuments
    prompt_tokens_per_run: int
    answer_tokens_per_run: int
    answer_tokens_from: str
    tokens: int
    cost_usd: float | None = Field(description="Null where no price is known.")
    seconds_to_read: float | None


class DryRun(Shape):
    """What became of asking with `dry_run`: nothing but an estimate."""

    dry_run: bool
    estimate: BackfillEstimate
