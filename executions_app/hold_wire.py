"""Holds as people and programs read them."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any, Final

from executions_app.holds import Holding
from executions_app.models import Hold

WHAT_RESUMING_DOES: Final = (
    "What has waited goes to the workers. Each run may call a model, and that may cost money."
)


def holding_json(holding: Holding, *, only: Collection[str] | None = None) -> dict[str, Any]:
    """Return the holds in force, those of single agents only as far as they are in `only`."""
    agents = [
        {"agent_id": agent_id, **hold_json(hold)}
        for agent_id, hold in holding.agents.items()
        if only is None or agent_id in only
    ]
    overall = holding.overall
    return {
        "paused": overall is not None,
        "hold": None if overall is None else hold_json(overall),
        "agents": agents,
    }


def agent_json(holding: Holding, agent_id: str) -> dict[str, Any]:
    """Return whether an agent is held, and by what: its own hold, or the one of all."""
    hold, own = holding.of(agent_id), holding.agents.get(agent_id)
    return {
        "agent_id": agent_id,
        "paused": hold is not None,
        "hold": None if own is None else hold_json(own),
        "all_paused": holding.overall is not None,
    }


def hold_json(hold: Hold) -> dict[str, Any]:
    """Return who holds, since when and why."""
    return {"by": hold.by, "at": hold.at, "reason": hold.why or None}


def told(holding: Holding) -> Iterator[str]:
    """Say in a line each what is held; nothing where nothing is."""
    if holding.overall is not None:
        yield f"Paused     all agents: {words(holding.overall)}"
    for agent_id, hold in holding.agents.items():
        yield f"Paused     {agent_id}: {words(hold)}"


def words(hold: Hold) -> str:
    """Say who holds, since when and why."""
    why = f" ({hold.why})" if hold.why else ""
    return f"held by {hold.by} since {hold.at:%Y-%m-%d %H:%M} UTC{why}"
