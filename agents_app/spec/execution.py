"""How a run is carried out, and the limits that an agent must keep."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from agents_app.spec.section import Finding, Number, Section, Whole

_DAY = 86_400
_MAX_WHOLE = 2**31 - 1


class ConsistencyMode(StrEnum):
    """How an answer is written against a document that may have changed since it was read."""

    EVENTUAL = "eventual"  # onto the document as it is now
    STRICT_POST_COMMIT = "strict_post_commit"  # only if no input has changed
    SHADOW = "shadow"  # everything but the write


class ExecutionSpec(Section):
    """Retries, deadlines and limits.

    Times are seconds. `rate_limit_requests` is per minute, `cost_limit_usd` and `token_limit` are per hour;
    these and `max_concurrency` hold for the whole fleet, and null means no limit. `weight` is an agent's part of the
    fleet beside others of its priority. `coalesce`: while a
    document waits, further changes of it join the waiting run. `max_hops`: how many agents in a row may be
    set off by each other's writes. `on_conflict`: what follows a strict write that found its input changed.
    """

    max_retries: Annotated[Whole, Field(ge=0, le=1000)] = 3
    retry_delay_seconds: Annotated[Number, Field(gt=0, le=_DAY)] = 1.0
    retry_max_delay_seconds: Annotated[Number, Field(gt=0, le=7 * _DAY)] = 60.0
    timeout_seconds: Annotated[Number, Field(gt=0, le=_DAY)] = 60.0
    rate_limit_requests: Annotated[Whole, Field(ge=1, le=_MAX_WHOLE)] | None = None
    cost_limit_usd: Annotated[Number, Field(gt=0, le=1e9)] | None = None
    token_limit: Annotated[Whole, Field(ge=1, le=2**53)] | None = None
    priority: Annotated[Whole, Field(ge=0, le=10)] = 0
    weight: Annotated[Whole, Field(ge=1, le=100)] = 1
    deduplicate: bool = True
    deduplicate_window_seconds: Annotated[Whole, Field(ge=0, le=_MAX_WHOLE)] = 300
    consistency_mode: ConsistencyMode = ConsistencyMode.EVENTUAL
    max_concurrency: Annotated[Whole, Field(ge=1, le=_MAX_WHOLE)] | None = None
    require_document_hash_match: bool = False
    coalesce: bool = True
    max_hops: Annotated[Whole, Field(ge=1, le=1000)] = 5
    on_conflict: Literal["skip", "rerun"] = "skip"

    def problems(self) -> Iterator[Finding]:
        """Yield a remark on a first delay that is longer than the longest."""
        if self.retry_delay_seconds > self.retry_max_delay_seconds:
            yield Finding(
                "retry_delay_seconds", f"must be ≤ retry_max_delay_seconds ({self.retry_max_delay_seconds:g})"
            )

    def warnings(self) -> Iterator[Finding]:
        """Yield settings that have no effect beside the chosen consistency mode."""
        if self.consistency_mode is ConsistencyMode.STRICT_POST_COMMIT:
            return
        if self.require_document_hash_match:
            yield Finding(
                "require_document_hash_match", "has an effect only with consistency_mode strict_post_commit"
            )
        if self.on_conflict == "rerun":
            yield Finding("on_conflict", "has an effect only with consistency_mode strict_post_commit")
