"""The shapes of answers about shared policies."""

from __future__ import annotations

from pydantic import Field

from agents_app.api_docs import UTC_TIME, Moment, Shape
from agents_app.api_shapes import DiffLine, Version
from agents_app.spec import PolicyContent


class PolicyRecord(Shape):
    """A shared policy. `version` is the current one, `revision` counts every change, `used_by` are agents."""

    name: str
    description: str | None
    condition: str | None
    action: str
    fallback_action: str
    simulation_mode: bool
    tag_field: str
    tag_value: str
    version: int
    revision: int
    used_by: list[str]
    created_at: Moment = Field(description=UTC_TIME)
    updated_at: Moment = Field(description=UTC_TIME)


class PolicyList(Shape):
    """A part of a list of policies; `total` counts all."""

    policies: list[PolicyRecord]
    total: int
    skip: int
    limit: int


class PolicyChange(Shape):
    """What became of a change. The agents in `published` were published again with it."""

    success: bool
    policy: PolicyRecord | None
    message: str
    published: list[str]
    warnings: list[str]


class PolicyVersionContent(Version):
    """A version of a policy, and what it decides by."""

    content: PolicyContent


class PolicyDiff(Shape):
    """The lines that differ between two versions of a policy, as YAML."""

    name: str
    from_version: int
    to_version: int
    lines: list[DiffLine]
