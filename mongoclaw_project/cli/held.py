"""Which limit holds back the rows that wait to be admitted: the ledger knows only that they wait."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from agents_app import registry
from executions_app.limits import LimiterUnavailable, Refused, rules_of
from executions_app.limits.absence import SHORTEST_SECONDS
from executions_app.models import Execution
from executions_app.states import Reason, Status
from mongoclaw_project.cli.limits import limiter

_AWAY: Final = Refused(Reason.LIMITER_UNAVAILABLE, SHORTEST_SECONDS)


def holding(rows: Iterable[Execution]) -> dict[str, Refused]:
    """Ask the limiter, as dispatch does, about the agents of those rows that wait to be admitted.

    Agents without an entry wait for room in their window. Where Redis is away, those with limits wait for it.
    """
    agents = {row.agent_id for row in rows if _waits(row)}
    rules = [rules_of(agent.spec) for agent in registry.active_agents() if agent.agent_id in agents]
    if not rules:
        return {}
    try:
        with limiter() as asked:
            return asked.refusals(rules)
    except LimiterUnavailable:
        return {one.agent_id: _AWAY for one in rules if one.is_bounded}


def holder_of(row: Execution, held: Mapping[str, Refused]) -> Refused | None:
    """Give what holds a row back, if it waits to be admitted and something does."""
    return held.get(row.agent_id) if _waits(row) else None


def held_json(why: Refused | None) -> dict[str, object] | None:
    """Return it as programs read it."""
    return None if why is None else {"reason": str(why.reason), "seconds": round(why.seconds, 3)}


def _waits(row: Execution) -> bool:
    return row.status == Status.PENDING and row.reason == Reason.ADMISSION
