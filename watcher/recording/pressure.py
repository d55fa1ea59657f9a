"""What becomes of new rows of an agent that has too many waiting."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

import structlog

from agents_app.spec import AgentSpec
from executions_app.load import waiting_of
from executions_app.states import Status

log = structlog.get_logger(__name__)

LOW_WATER: Final = 0.75
"""An agent that was under pressure is so until no more than this part of the high mark waits: no flapping."""

OUTCOMES: Final[Mapping[str, Status]] = {"drop": Status.SKIPPED, "dlq": Status.FAILED}
"""What the policies make of a row. With `defer` it waits like any other."""

DECISIONS: Final[Mapping[Status, str]] = {outcome: policy for policy, outcome in OUTCOMES.items()}
DEFER: Final = "defer"


@dataclass(frozen=True, slots=True)
class PressurePolicy:
    """Under pressure from `high` waiting rows on; agents of `bypass` priority and above never are."""

    outcome: Status | None = None
    high: int = 80_000
    bypass: int = 5
    seconds: float = 1.0
    """How old the count of what waits may be."""


@dataclass(slots=True)
class Pressure:
    """Remembers who is under pressure. One thread at a time."""

    policy: PressurePolicy
    monotonic: Callable[[], float]
    _under: set[str] = field(default_factory=set)
    _counted_at: dict[str, float] = field(default_factory=dict)

    def shed(self, agents: Mapping[str, AgentSpec]) -> dict[str, Status]:
        """Return the agents whose new rows are not to wait, each with what becomes of these."""
        outcome = self.policy.outcome
        if outcome is None:
            return {}
        exposed = [agent for agent, spec in agents.items() if spec.execution.priority < self.policy.bypass]
        return {agent: outcome for agent in exposed if self._is_under(agent)}

    def _is_under(self, agent: str) -> bool:
        now = self.monotonic()
        if now - self._counted_at.get(agent, float("-inf")) >= self.policy.seconds:
            self._counted_at[agent] = now
            self._note(agent, waiting_of(agent, most=self.policy.high))
        return agent in self._under

    def _note(self, agent: str, waiting: int) -> None:
        if waiting >= self.policy.high and agent not in self._under:
            self._under.add(agent)
            log.warning("pressure.begun", agent_id=agent, waiting=waiting)
        elif waiting <= self.policy.high * LOW_WATER and agent in self._under:
            self._under.discard(agent)
            log.warning("pressure.over", agent_id=agent, waiting=waiting)
