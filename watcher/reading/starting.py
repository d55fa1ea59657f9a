"""Where a stream has to begin so that no agent misses an event, and who misses some if it cannot."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from bson import Timestamp

from agents_app.registry import ActiveAgent
from executions_app.identity import unpack_time
from watcher.matching.matcher import ENABLING_SLACK_SECONDS
from watcher.reading.position import EVERYBODY, HELD_FROM, Position
from watcher.reading.stream import StartPoint


def coverage_of(
    agents: Sequence[ActiveAgent],
    held: Mapping[str, str] | None = None,
    before: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Say what a position covers: per agent, since when it is enabled and what it watches.

    `held` names the agents that are out of the stream although they are at work, each with the time from which
    it has to go on (`executions_app.gaps.held_since`). `before` is what the position covered: an agent that two
    gaps hold goes on at the end of the first, also when that is decided about first.
    """
    return {
        agent.agent_id: " ".join(
            part
            for part in (_enabled(agent), _watched(agent), _mark(agent, held or {}, before or {}))
            if part
        )
        for agent in agents
    }


def start_point(position: Position | None, agents: Sequence[ActiveAgent], pipeline: str) -> StartPoint:
    """Choose the start.

    1. With a position that covers all agents and comes from this pipeline: behind its token.
    2. With another pipeline, or without a token: at the position's cluster time. An event token is only good for
       its own pipeline; the replayed events are rows already.
    3. An agent that the position does not cover needs the stream from its enabling on, or from the moment on
       that a version which watches something else became current; one that was held, from the end of its gap on.
    """
    start = min(needed_by(agent, position) for agent in agents)
    if position is not None and start == position.time and position.pipeline == pipeline and position.token:
        return StartPoint(token=position.token)
    return StartPoint(time=start)


@dataclass(frozen=True, slots=True)
class Reach:
    """What the server still has: from the oplog's first entry (None where it cannot be read) to now."""

    oldest: Timestamp | None
    now: Timestamp


def later_start(
    refused: StartPoint, position: Position | None, reach: Reach, *, is_certain: bool
) -> StartPoint | None:
    """Name the next start to try when the server says that history is lost at `refused`, or None.

    A token falls back to its time. After that comes the earliest of the times that are later: the oplog's first
    entry, the position (what one agent needs may be gone while the position is still there), now. Where the oplog
    shows that the server is wrong, nothing is given up before that `is_certain`.
    """
    if refused.time is None:
        return None if position is None else StartPoint(time=position.time)
    if reach.oldest is not None and reach.oldest <= refused.time and not is_certain:
        return None
    known = (reach.oldest, position.time if position else None, reach.now)
    later = [time for time in known if time is not None and time > refused.time]
    return StartPoint(time=min(later)) if later else None


def losers(
    position: Position | None, agents: Sequence[ActiveAgent], start: Timestamp
) -> list[tuple[ActiveAgent, Timestamp]]:
    """Say which agents miss events when the stream begins at `start`, each with the time up to which it saw all."""
    needs = [(agent, needed_by(agent, position)) for agent in agents]
    return [(agent, needed) for agent, needed in needs if needed < start]


def needed_by(agent: ActiveAgent, position: Position | None) -> Timestamp:
    """Return the cluster time from which an agent has not seen the stream yet."""
    if position is None:
        return enabled_since(agent)
    covered = position.covers.get(agent.agent_id)
    if covered is None or not covered.startswith(f"{_enabled(agent)} "):
        return position.time if _is_placed_for(agent, position) else enabled_since(agent)
    _, watched, *mark = covered.split(" ")
    since = max(unpack_time(mark[0].removeprefix(HELD_FROM)), enabled_since(agent)) if mark else position.time
    return since if watched == _watched(agent) else min(since, _moment(agent.current_since))


def enabled_since(agent: ActiveAgent) -> Timestamp:
    """Return the cluster time of an agent's enabling, a little earlier because clocks differ."""
    return _moment(agent.enabled_at)


def _is_placed_for(agent: ActiveAgent, position: Position) -> bool:
    placed_at = position.covers.get(EVERYBODY)
    return placed_at is not None and agent.enabled_at <= datetime.fromisoformat(placed_at)


def _mark(agent: ActiveAgent, held: Mapping[str, str], before: Mapping[str, str]) -> str:
    if agent.agent_id not in held:
        return ""
    mark = HELD_FROM + held[agent.agent_id]
    enabled, _, *known = before.get(agent.agent_id, " ").split(" ")
    return min(mark, *known) if known and enabled == _enabled(agent) else mark


def _moment(wall: datetime) -> Timestamp:
    return Timestamp(max(1, int(wall.timestamp()) - ENABLING_SLACK_SECONDS), 1)


def _enabled(agent: ActiveAgent) -> str:
    return agent.enabled_at.isoformat()


def _watched(agent: ActiveAgent) -> str:
    """Name everything that decides which events are the agent's: a change of it begins at its publication."""
    deciding = {"collection", "operations", "filter", "fields"}
    watch = agent.spec.watch.model_dump(mode="json", include=deciding)
    watch["operations"] = sorted(watch["operations"])
    return sha256(json.dumps(watch, sort_keys=True).encode()).hexdigest()[:16]
