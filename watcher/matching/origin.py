"""Who caused a change: a user, the agent itself, or another agent."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from agents_app.registry import ActiveAgent
from watcher.reading.event import ChangeEvent

_VERSION_FIELD = "_mongoclaw_version"


@dataclass(frozen=True, slots=True)
class Outputs:
    """The dotted paths that an agent writes."""

    agent_id: str
    paths: frozenset[str]

    def covers(self, changed: frozenset[str]) -> bool:
        """Tell whether every changed field lies on or under one of the paths."""
        return bool(changed) and all(self._owns(name) for name in changed)

    def _owns(self, name: str) -> bool:
        return name in self.paths or any(name.startswith(f"{path}.") for path in self.paths)


def outputs_of(agent: ActiveAgent) -> Outputs:
    """Give the paths that the agent's writes may touch, its bookkeeping included."""
    spec = agent.spec
    return Outputs(agent.agent_id, spec.output_paths | {spec.write.metadata_field, _VERSION_FIELD})


def is_self_write(event: ChangeEvent, agent: ActiveAgent, own: Outputs) -> bool:
    """Tell whether the agent made this change itself, in which case it must not trigger the agent.

    Only updates can be: an agent writes into its own collection by update alone, so an insert or replace that
    carries its metadata was made by somebody who copied a document. Another agent's bookkeeping shares the metadata
    field, so a change of nothing but metadata and own fields is one's own or of no interest.
    """
    if agent.spec.target_namespace != (event.database, event.collection):
        return False
    return event.changed is not None and own.covers(event.changed)


def is_cascade(event: ChangeEvent, writers: Iterable[Outputs]) -> bool:
    """Tell whether some agent made this change: the run it triggers is a hop, not a user's wish."""
    if event.changed is None:
        return event.operation == "insert" and event.written_by is not None
    changed = event.changed
    return any(writer.covers(changed) for writer in writers)
