"""The shapes of answers about executions."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from agents_app.api_docs import UTC_TIME, Moment, Shape


class AIResponse(Shape):
    """The last answer of the model."""

    content: str
    parsed_content: Any
    model: str
    provider: str
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    cost_usd: float | None
    latency_ms: float
    finish_reason: str


class ExecutionRecord(Shape):
    """A run. One that has not started shows when it was put on record as `started_at`.

    Where one run is returned that somebody asked for (a trigger, a retry), `skipped` is told as `completed` with
    `written: false`, because the official clients wait for `completed` or `failed`; `lifecycle_state` and `reason`
    tell the difference. Lists have the status on record. To those who may ask for runs and not view them, `error`,
    `error_type` and `ai_response` are null.
    """

    id: str
    work_item_id: str
    agent_id: str
    agent_version: int
    document_id: str
    database: str
    collection: str
    operation: str
    status: str
    lifecycle_state: str
    reason: str | None
    written: bool
    created_at: Moment = Field(description=UTC_TIME)
    started_at: Moment = Field(description=UTC_TIME)
    completed_at: Moment | None = Field(description=UTC_TIME)
    duration_ms: float | None
    attempt: int
    deferrals: int
    model_calls: int
    tokens_used: int
    cost_usd: float | None
    error: str | None
    error_type: str | None
    ai_response: AIResponse | None


class ExecutionList(Shape):
    """A part of a list of runs.

    `total` is exact up to 10,000, and else 10,000 with `total_is_exact: false`: a ledger of millions is not counted
    for a list.
    """

    executions: list[ExecutionRecord]
    total: int
    total_is_exact: bool
    skip: int
    limit: int


class StatusFigures(Shape):
    """Runs that ended so, and how long the last try of the newest 5,000 took on average."""

    count: int
    avg_duration_ms: float


class ExecutionStats(Shape):
    """How runs ended since the beginning of the hour in which the period begins."""

    period_hours: int
    by_status: dict[str, StatusFigures]
    total: int


class AgentStats(Shape):
    """All that an agent has done. Averages are those of completed runs among its newest 5,000."""

    agent_id: str
    total_executions: int
    successful_executions: int
    failed_executions: int
    skipped_executions: int
    avg_duration_ms: float
    avg_latency_ms: float
    total_tokens: int
    total_cost_usd: float
    last_execution_at: Moment | None = Field(description=UTC_TIME)
    last_error: str | None
