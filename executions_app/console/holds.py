"""What holds work up: people, pauses of the whole fleet, limits that agents have reached, and gaps that hold agents."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Final

from redis import Redis

from agents_app import registry
from executions_app import gaps
from executions_app.console.panel import Asked, Panel
from executions_app.console.viewer import SEE_AGENTS, Viewer
from executions_app.holds import in_force
from executions_app.limits import Limiter, rules_of
from executions_app.models import Hold as Held
from executions_app.states import Reason, reason_meaning
from mongoclaw_project.config import current

PATIENCE_SECONDS: Final = 0.4
"""A server that is silent for longer is away: a panel that is late is worth less than one that says so."""

BOUNDED: Final = 100
"""Agents whose own limits are asked for."""

QUARANTINE: Final = "agent:"
OWN: Final = frozenset(
    {Reason.CONCURRENCY_LIMIT, Reason.AGENT_RATE_LIMIT, Reason.TOKEN_LIMIT, Reason.COST_LIMIT}
)


@dataclass(frozen=True, slots=True)
class Hold:
    """Something that holds calls up, why, and for how many seconds more if that is known."""

    name: str
    reason: str
    meaning: str
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Holds:
    """All that holds work up now. `by_hand` are the runs that somebody holds back; no agent's name means all."""

    by_hand: tuple[Held, ...]
    pauses: tuple[Hold, ...]
    limits: tuple[Hold, ...]
    held: tuple[str, ...]
    open_gaps: int


def look(asked: Asked) -> Holds:
    """Ask the limiter and the ledger. Raises LimiterUnavailable."""
    viewer, limiter = asked.viewer, _limiter()
    pauses = tuple(
        _hold(held.name, held.reason, held.seconds)
        for held in limiter.pauses().in_force(monotonic=time.monotonic())
        if not held.name.startswith(QUARANTINE) or viewer.sees(held.name.removeprefix(QUARANTINE))
    )
    rules = (rules_of(agent.spec) for agent in registry.active_agents() if viewer.sees(agent.agent_id))
    refused = limiter.refusals([one for one in rules if one.is_bounded][:BOUNDED])
    limits = tuple(
        _hold(agent, why.reason, why.seconds) for agent, why in refused.items() if why.reason in OWN
    )
    held_agents = tuple(agent for agent in sorted(gaps.held_since()) if viewer.sees(agent))
    still_open = gaps.unsettled().filter(**viewer.narrowed("agent_id")).count()
    return Holds(tuple(_by_hand(viewer)), pauses, limits, held_agents, still_open)


def _by_hand(viewer: Viewer) -> Iterator[Held]:
    holding = in_force()
    if holding.overall is not None:
        yield holding.overall
    yield from (held for agent, held in holding.agents.items() if viewer.sees(agent))


def _hold(name: str, reason: str, seconds: float) -> Hold:
    return Hold(name, reason, reason_meaning(reason), seconds)


@cache
def _limiter() -> Limiter:
    settings = current()
    redis = Redis.from_url(
        settings.redis.url,
        decode_responses=True,
        socket_timeout=PATIENCE_SECONDS,
        socket_connect_timeout=PATIENCE_SECONDS,
    )
    return Limiter(redis, lease_seconds=settings.worker.heartbeat_timeout_seconds, monotonic=time.monotonic)


PANEL: Final = Panel(name="holds", title="Pauses and limits", needs=SEE_AGENTS, look=look, seconds=4)
