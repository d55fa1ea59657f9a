"""What a filter of dead letters names and there is not: an empty list would look like good news."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from agents_app.errors import SpecProblem
from agents_app.models import Agent
from executions_app import reasons
from executions_app.dead_letters import Filter

MOST_NAMED: Final = 20


def unknown_names(wanted: Filter) -> Iterator[SpecProblem]:
    """Give a problem for each name that is unknown, with those that are known; `path` is the filter's field.

    An agent that is not visible is as unknown as one that has never been.
    """
    agents = Agent.objects.all() if wanted.visible is None else Agent.objects.filter(id__in=wanted.visible)
    if wanted.agent_id and not agents.filter(id=wanted.agent_id).exists():
        known = _known("agents", agents.order_by("id").values_list("id", flat=True)[: MOST_NAMED + 1])
        yield SpecProblem("agent_id", f"there has never been an agent '{wanted.agent_id}'{known}")
    if wanted.reason and not reasons.is_known(wanted.reason):
        known = _known("reasons on record", reasons.on_record())
        yield SpecProblem("reason", f"there is no reason '{wanted.reason}'{known}")


def _known(what: str, names: Iterable[str]) -> str:
    listed = list(names)
    more = " …" if len(listed) > MOST_NAMED else ""
    return f"; {what}: {', '.join(listed[:MOST_NAMED])}{more}" if listed else f"; there are no {what}"
