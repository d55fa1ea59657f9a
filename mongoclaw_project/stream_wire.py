"""The JSON form of change streams."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from agents_app.registry import ActiveAgent
from executions_app.gap_wire import time_json
from mongoclaw_project.config import current
from watcher.leading.control import Control
from watcher.observing.oplog import Oplog, seconds_to_loss
from watcher.observing.survey import StreamView


def stream_json(
    view: StreamView, oplog: Oplog | None, open_gaps: Mapping[str, int], agents: Sequence[str]
) -> dict[str, Any]:
    """Return a stream as its watcher said last; `open_gaps` is by database, `agents` watch it."""
    return {
        "stream": view.unit.name,
        "database": view.unit.database,
        "state": view.state,
        "detail": view.detail or None,
        "trouble": view.trouble(current().watcher.unpolled_seconds),
        "watcher": view.watcher or None,
        "term": view.term,
        "polled_ago_seconds": view.polled_ago,
        "lag_seconds": view.lag_seconds,
        "position": None if view.position is None else time_json(view.position),
        "position_age_seconds": view.position_age,
        "position_readable": view.position_readable,
        "seconds_until_lost": time_left(view, oplog),
        "agents": list(agents),
        "open_gaps": open_gaps.get(view.unit.database, 0),
    }


def database_json(
    database: str,
    control: Control | None,
    *,
    streams: Sequence[Mapping[str, Any]],
    agents: Sequence[Mapping[str, Any]],
    gaps: Sequence[str],
) -> dict[str, Any]:
    """Return all that is known of a database's stream, and what is asked of it."""
    asked = control or Control()
    return {
        "database": database,
        "paused": asked.paused,
        "partitions": asked.partitions,
        "generation": asked.generation,
        "streams": list(streams),
        "agents": list(agents),
        "gaps": list(gaps),
    }


def watching_json(agent: ActiveAgent, held: Collection[str]) -> dict[str, Any]:
    """Return an agent as one that a stream feeds; `held` are those that a gap holds."""
    watch = agent.spec.watch
    return {
        "agent_id": agent.agent_id,
        "collection": watch.collection,
        "on_history_lost": watch.history_policy.value,
        "held": agent.agent_id in held,
    }


def time_left(view: StreamView, oplog: Oplog | None) -> float | None:
    """Tell in how many seconds the stream's position is lost at the earliest; None if that is not known."""
    return None if oplog is None or view.position is None else seconds_to_loss(oplog, view.position)
