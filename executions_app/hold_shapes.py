"""The shapes of holds over HTTP, for the OpenAPI document."""

from __future__ import annotations

from pydantic import Field

from agents_app.api_docs import UTC_TIME, Moment, Shape


class HoldRecord(Shape):
    """Who holds, since when and why."""

    by: str
    at: Moment = Field(description=UTC_TIME)
    reason: str | None


class HeldAgent(HoldRecord):
    """The hold of a single agent."""

    agent_id: str


class Dispatching(Shape):
    """Whether all agents are held, by what, and which single ones of those that the caller may see."""

    paused: bool
    hold: HoldRecord | None
    agents: list[HeldAgent]


class AgentDispatching(Shape):
    """Whether an agent is held: by its own hold, or by the one of all."""

    agent_id: str
    paused: bool
    hold: HoldRecord | None
    all_paused: bool


class PauseBody(Shape):
    """Why runs are held back, for those who find them so."""

    reason: str | None = Field(default=None, max_length=1_000)
