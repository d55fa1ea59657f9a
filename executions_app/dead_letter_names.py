"""What a filter of dead letters names and there is not: an empty list would look like good news."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from agents_app.errors import SpecProblem
from agents_app.models import Agent
from executions_app import reasons
from executions_app.dead_letters import Filter

MOST_NAMED: Final = 20


def unknown_names(wanted: Filter, *, names_agents: bool = True) -> Iterator[SpecProblem]:
    """Give a problem for each name that is unknown, with those that are known; `path` is the filter's field.

    Agents are named only where `names_agents` says that whoever asks may see all of them.
    """
    if wanted.agent_id and not Agent.objects.filter(id=wanted.agent_id).exists():
        agents = Agent.objects.order_by("id").values_list("id", flat=True)
        known = _known("agents", agents[: MOST_NAMED + 1]) if names_agents else ""
        yield SpecProblem("agent_id", f"there has never been an agent '{wanted.agent_id}'{known}")
    if wanted.reason and not reasons.is_known(wanted.reason):
        known = _known("reasons on record", reasons.on_record())
        yield SpecProblem("reason", f"there is no reason '{wanted.reason}'{known}")


def _known(what: str, names: Iterable[str]) -> str:
    listed = list(names)
    more = " …" if len(listed) > MOST_NAMED else ""
    return f"; {what}: {', '.join(listed[:MOST_NAMED])}{more}" if listed else f"; there are no {what}"
