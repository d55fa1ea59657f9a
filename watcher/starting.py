"""Where a stream has to begin so that no agent misses an event."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bson import Timestamp

from agents_app.registry import ActiveAgent
from watcher.matching import ENABLING_SLACK_SECONDS
from watcher.position import Position
from watcher.stream import StartPoint


def coverage_of(agents: Sequence[ActiveAgent]) -> dict[str, str]:
    """Say what a position covers: per agent, since when it is enabled and what it watches."""
    return {agent.agent_id: f"{_enabled(agent)} {_watched(agent)}" for agent in agents}


def start_point(position: Position | None, agents: Sequence[ActiveAgent], pipeline: str) -> StartPoint:
    """Choose the start.

    1. With a position that covers all agents and comes from this pipeline: behind its token.
    2. With another pipeline: at the position's cluster time. An event token is only good for its own pipeline; the
       replayed events are rows already.
    3. An agent that the position does not cover needs the stream from its enabling on, or from the moment on
       that a version which watches something else became current.
    """
    start = min(_needed(agent, position) for agent in agents)
    if position is None or start < position.time:
        return StartPoint(time=start)
    if start == position.time and position.pipeline == pipeline:
        return StartPoint(token=position.token)
    return StartPoint(time=start)


def other_starts(start: StartPoint, position: Position | None, pipeline: str) -> tuple[StartPoint, ...]:
    """Name the starts to try when the server no longer has `start`, the one that loses least first.

    What one agent needs may be gone from the oplog while the position is still there, so now comes last.
    """
    known: list[StartPoint] = []
    if position is not None:
        known = [StartPoint(time=position.time)]
        if position.pipeline == pipeline:
            known.insert(0, StartPoint(token=position.token))
    return (*(point for point in known if point != start), StartPoint())


def losers(position: Position | None, agents: Sequence[ActiveAgent], start: StartPoint) -> list[ActiveAgent]:
    """Say which agents miss events when the stream begins at `start`: all of them if it begins now."""
    if position is None or start == StartPoint():
        return list(agents)
    return [agent for agent in agents if _needed(agent, position) < position.time]


def _needed(agent: ActiveAgent, position: Position | None) -> Timestamp:
    covered = position.covers.get(agent.agent_id) if position else None
    if position is None or covered is None or not covered.startswith(f"{_enabled(agent)} "):
        return _moment(agent.enabled_at)
    if covered != f"{_enabled(agent)} {_watched(agent)}":
        return min(position.time, _moment(agent.current_since))
    return position.time


def _moment(wall: datetime) -> Timestamp:
    return Timestamp(max(1, int(wall.timestamp()) - ENABLING_SLACK_SECONDS), 1)


def _enabled(agent: ActiveAgent) -> str:
    return agent.enabled_at.isoformat()


def _watched(agent: ActiveAgent) -> str:
    watch = agent.spec.watch
    return f"{watch.collection} {','.join(sorted(str(operation) for operation in watch.operations))}"
