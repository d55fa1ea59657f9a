"""Who looks at the console, and what may be shown to them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from agents_app.sight import visible_agents

SEE_AGENTS: Final = "agents_app.view_agent"
OPERATE: Final = "agents_app.operate_agent"
SEE_RUNS: Final = "executions_app.view_execution"
REQUEUE: Final = "executions_app.requeue_execution"
DISCARD: Final = "executions_app.discard_execution"
SEE_FIGURES: Final = "executions_app.view_hourtally"
SEE_PROCESSES: Final = "executions_app.view_workerprocess"

ALL: Final = (SEE_AGENTS, OPERATE, SEE_RUNS, REQUEUE, DISCARD, SEE_FIGURES, SEE_PROCESSES)


@dataclass(frozen=True, slots=True)
class Viewer:
    """What somebody may do. `agents` are those that they are bound to; None is all of them."""

    permissions: frozenset[str] = frozenset(ALL)
    agents: frozenset[str] | None = None

    def may(self, permission: str) -> bool:
        """Whether they have a permission."""
        return permission in self.permissions

    def sees(self, agent_id: str) -> bool:
        """Whether an agent is in their sight."""
        return self.agents is None or agent_id in self.agents

    @property
    def may_pause_all(self) -> bool:
        """Whether they decide for all agents: those that they do not see are not theirs to pause."""
        return self.may(OPERATE) and self.agents is None

    def narrowed(self, column: str) -> dict[str, Iterable[str]]:
        """Return the condition for rows whose `column` is an agent."""
        return {} if self.agents is None else {f"{column}__in": sorted(self.agents)}


def viewer_of(user: Any) -> Viewer:
    """Ask a user's permissions once for a whole request."""
    return Viewer(frozenset(name for name in ALL if user.has_perm(name)), visible_agents(user))
