"""The shapes of answers about agents."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from agents_app.api_docs import UTC_TIME, Moment, Shape
from agents_app.spec import AgentSpec


class AgentSummary(Shape):
    """An agent as lists have it. `version` counts every change, switching on and off included."""

    id: str
    name: str
    description: str | None
    enabled: bool
    database: str
    collection: str
    operations: list[str]
    provider: str
    model: str
    tags: list[str]
    version: int
    health: str
    health_reason: str | None
    created_at: Moment = Field(description=UTC_TIME)
    updated_at: Moment = Field(description=UTC_TIME)


class AgentList(Shape):
    """A part of a list of agents; `total` counts all that the query means."""

    agents: list[AgentSummary]
    total: int
    skip: int
    limit: int


class AgentChange(Shape):
    """What became of a change. `warnings` tell what was accepted and is probably not meant.

    `agent` is null for those who may change it and not view it.
    """

    success: bool
    agent: AgentSpec | None
    message: str | None
    warnings: list[str]


class Verdict(Shape):
    """Whether a configuration is valid, and all that is wrong with it."""

    valid: bool
    errors: list[str]
    warnings: list[str]
    agent_id: str | None


class Version(Shape):
    """A published version of an agent; it never changes."""

    number: int
    content_hash: str
    published_by: str
    created_at: Moment = Field(description=UTC_TIME)
    is_current: bool


class VersionConfig(Version):
    """A version, and what the agent does by it."""

    config: dict[str, Any]


class VersionList(Shape):
    """Versions of an agent, newest first."""

    versions: list[Version]
    total: int
    skip: int
    limit: int


class DiffLine(Shape):
    """A line of a comparison: `+` was added, `-` removed, a space is the same, `@` names the place."""

    change: str
    text: str


class VersionDiff(Shape):
    """The lines that differ between two versions, as YAML."""

    agent_id: str
    from_version: int
    to_version: int
    lines: list[DiffLine]


class RollbackBody(Shape):
    """Which version to publish again."""

    version: int = Field(ge=1)
