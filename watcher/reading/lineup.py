"""Who a stream is read for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from agents_app.registry import ActiveAgent
from watcher.reading.detail import FULL
from watcher.reading.pipeline import fingerprint_of
from watcher.reading.position import Position
from watcher.reading.starting import coverage_of
from watcher.unit import Unit


@dataclass(frozen=True, slots=True)
class Lineup:
    """The agents at work, and those of them that a gap holds, each with the time from which it has to go on."""

    agents: tuple[ActiveAgent, ...]
    held: Mapping[str, str]

    @property
    def reading(self) -> tuple[ActiveAgent, ...]:
        """The agents that events are put on record for."""
        return tuple(agent for agent in self.agents if agent.agent_id not in self.held)

    def coverage(self, position: Position | None, held: Mapping[str, str] | None = None) -> dict[str, str]:
        """Say what a position covers that is reached from `position` by reading for them.

        `held` names who is held by now, if that has changed since.
        """
        known = position.covers if position else {}
        out = {agent_id: covered for agent_id, covered in known.items() if agent_id in self.held}
        return coverage_of(self.agents, self.held if held is None else held, out)

    def fingerprint(self, unit: Unit) -> str:
        """Name the pipeline whose tokens are good, however much is asked of each event at the moment."""
        return fingerprint_of(FULL.pipeline(self.reading, unit))
