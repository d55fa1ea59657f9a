"""What of the ledger a caller may see: what belongs to the agents that it may see."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from typing import Any, Final, Protocol, TypeVar

from agents_app.errors import AgentNotFound, MongoClawError
from executions_app.models import Execution
from executions_app.queries import ExecutionNotFound

_RESULTS: Final = ("ai_response", "error", "error_type")


class OfAnAgent(Protocol):
    """What belongs to an agent."""

    agent_id: str


T = TypeVar("T", bound=OfAnAgent)


def require_visible(agent_id: str | None, only: Collection[str] | None) -> None:
    """Raise AgentNotFound for an agent that is named and is not among `only`."""
    if agent_id is not None and only is not None and agent_id not in only:
        raise AgentNotFound(agent_id=agent_id)


def seen(execution_id: str, only: Collection[str] | None) -> Execution:
    """Return an execution by its whole id, of an agent among `only`. Raises ExecutionNotFound."""
    rows = Execution.objects.select_related("agent", "version")
    found = rows.filter(id=execution_id).first() if execution_id.isalnum() else None
    if found is None or (only is not None and found.agent_id not in only):
        raise ExecutionNotFound(f"Execution '{execution_id}' not found")
    return found


def as_may_be_read(record: Mapping[str, Any], user: Any) -> dict[str, Any]:
    """Return the record of a run that somebody asked for, without its results for those who may not view runs."""
    may_read = user.has_perm("executions_app.view_execution")
    return {**record, **({} if may_read else dict.fromkeys(_RESULTS))}


def found_by_id(
    id_: str, find: Callable[[str], T], only: Collection[str] | None, *, missing: MongoClawError
) -> T:
    """Return what `find` finds, if it is of an agent among `only`; else raise `missing`, for what is hidden alike."""
    with suppress(type(missing)):
        found = find(id_) if id_.isalnum() else None
        if found is not None and (only is None or found.agent_id in only):
            return found
    raise missing
