"""The root of MongoClaw's error tree.

Each concern adds its own family beside itself (`enrichment.errors`, …). A class carries two decisions made
once, at the edge where the failure is understood: what happens to the run (`decision`), and the reason code
on record (`code`).
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import ClassVar


class Decision(Enum):
    """What becomes of a run that failed."""

    RETRY = "retry"  # burns an attempt, tries again after a backoff
    DEFER = "defer"  # tries again later, burns no attempt
    DEAD = "dead"  # this document failed for good
    PERMANENT = "permanent"  # the configuration is wrong; no document of this agent can succeed


class MongoClawError(Exception):
    """Something in MongoClaw failed.

    The first line of a subclass's docstring is its default message. Keyword arguments are kept in `details`,
    to be logged.
    """

    decision: ClassVar[Decision] = Decision.DEAD
    code: ClassVar[str] = "error"

    def __init__(self, message: str | None = None, **details: object) -> None:
        self.message = message if message is not None else _first_line(type(self))
        self.details = details
        super().__init__(self.message)

    def __str__(self) -> str:
        return self.message


class ConfigurationError(MongoClawError):
    """The configuration is wrong."""

    decision = Decision.PERMANENT
    code = "configuration_error"


@dataclass(frozen=True, slots=True)
class SpecProblem:
    """One thing that is wrong with an agent's specification.

    `path` is the dotted place of the value (`ai.temperature`), or empty when the text as a whole is at fault.
    `line` and `column` count from 1 and are known only when the specification came as text.
    """

    path: str
    message: str
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        text = f"{self.path}: {self.message}" if self.path else self.message
        if self.line is None:
            return text
        place = f"line {self.line}" if self.column is None else f"line {self.line}, column {self.column}"
        return f"{text} ({place})"


class SpecInvalid(ConfigurationError):
    """The agent's specification is not valid.

    `errors` holds every problem found; the message is all of them on one line.
    """

    code = "spec_invalid"

    def __init__(
        self, message: str | None = None, *, errors: Sequence[SpecProblem] = (), **details: object
    ) -> None:
        self.errors: tuple[SpecProblem, ...] = tuple(errors)
        if message is None and self.errors:
            message = "; ".join(str(problem) for problem in self.errors)
        super().__init__(message, **details)


class AgentNotFound(MongoClawError):
    """There is no such agent.

    Raised as `AgentNotFound(agent_id=…)`, which gives the message `Agent '<id>' not found`.
    """

    decision = Decision.PERMANENT
    code = "agent_not_found"

    def __init__(self, message: str | None = None, *, agent_id: str | None = None, **details: object) -> None:
        if message is None and agent_id is not None:
            message = f"Agent '{agent_id}' not found"
        self.agent_id = agent_id
        super().__init__(message, agent_id=agent_id, **details)


class AgentExists(MongoClawError):
    """There is such an agent already."""

    decision = Decision.PERMANENT
    code = "agent_exists"


class AgentChanged(MongoClawError):
    """The agent was changed by someone else in the meantime; look at it again before changing it."""

    decision = Decision.PERMANENT
    code = "agent_changed"


class PolicyNotFound(MongoClawError):
    """There is no such policy.

    Raised as `PolicyNotFound(name=…)`, which gives the message `Policy '<name>' not found`.
    """

    decision = Decision.PERMANENT
    code = "policy_not_found"

    def __init__(self, message: str | None = None, *, name: str | None = None, **details: object) -> None:
        if message is None and name is not None:
            message = f"Policy '{name}' not found"
        super().__init__(message, name=name, **details)


class PolicyExists(MongoClawError):
    """There is such a policy already."""

    decision = Decision.PERMANENT
    code = "policy_exists"


class PolicyChanged(MongoClawError):
    """The policy was changed by someone else in the meantime; look at it again before changing it."""

    decision = Decision.PERMANENT
    code = "policy_changed"


class PolicyOutOfReach(MongoClawError):
    """Agents use the policy that the caller may not change, and they would change with it."""

    decision = Decision.PERMANENT
    code = "policy_out_of_reach"


class PolicyInUse(MongoClawError):
    """Agents use the policy, so it cannot be deleted."""

    decision = Decision.PERMANENT
    code = "policy_in_use"


class VersionNotFound(MongoClawError):
    """There is no such version."""

    decision = Decision.PERMANENT
    code = "version_not_found"


class VersionUnreadable(MongoClawError):
    """This release of MongoClaw cannot read the stored version of the agent."""

    decision = Decision.PERMANENT
    code = "version_unreadable"


class VersionImmutable(MongoClawError):
    """A published version never changes; publish a new one instead."""

    decision = Decision.PERMANENT
    code = "version_immutable"


def _first_line(cls: type[MongoClawError]) -> str:
    documentation = inspect.getdoc(cls) or cls.__name__
    return documentation.splitlines()[0]
