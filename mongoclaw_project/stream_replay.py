"""Reading a range of changes again: for which agents, from where to where, and doing it."""

from __future__ import annotations

import time
import uuid
from collections.abc import Generator, Sequence
from datetime import UTC, datetime
from typing import ClassVar

from bson import Timestamp

from agents_app.errors import Decision, MongoClawError
from agents_app.publish import mark_health
from agents_app.registry import ActiveAgent
from executions_app.routes import Routes
from mongoclaw_project.cluster_moment import shown
from mongoclaw_project.config import current
from mongoclaw_project.stream_home import Server
from watcher.reading import cluster
from watcher.reading.replay import Range, Replayed
from watcher.reading.replay import replay as read_again
from watcher.recording.ingest import Ingest
from watcher.recording.pressure import Pressure, PressurePolicy
from watcher.sending.publisher import Publisher
from watcher.sending.windows import Windows


class ReplayRefused(MongoClawError):
    """There is nothing that could be read again."""

    decision: ClassVar[Decision] = Decision.PERMANENT
    code: ClassVar[str] = "replay_refused"


def new_id() -> str:
    """Make the id of a replay: each replay puts rows of its own on record."""
    return uuid.uuid4().hex[:12]


def chosen(agents: Sequence[ActiveAgent], database: str, agent_id: str | None) -> list[ActiveAgent]:
    """Return the agents to run again: one, or all those at work there. Raises ReplayRefused."""
    if agent_id is not None and agent_id not in {agent.agent_id for agent in agents}:
        raise ReplayRefused(
            f"No agent '{agent_id}' at work watches database '{database}'; "
            f"`mongoclaw streams show {database}` names those that do"
        )
    if not agents:
        raise ReplayRefused(
            f"No agent at work watches database '{database}'; `mongoclaw streams list` shows those that are watched"
        )
    return [agent for agent in agents if agent_id in (None, agent.agent_id)]


def span(server: Server, database: str, start: Timestamp, until: Timestamp | None) -> Range:
    """Return the range from a time to another, or to the newest change if that is earlier or none is given.

    Raises ReplayRefused, and pymongo's errors.
    """
    here = cluster.time_of(server.client)
    end = here if until is None else min(until, here)
    if start > end:
        raise ReplayRefused(
            f"There is nothing from {shown(start)} to {shown(end)} UTC: the beginning must come first"
        )
    first = cluster.oldest_entry(server.client)
    if first is not None and start < first:
        raise ReplayRefused(
            f"The oplog reaches back to {shown(first)} UTC only: begin later, or `mongoclaw backfill AGENT`, which "
            "works through documents whatever the oplog holds"
        )
    return Range(database=database, start=start, end=end)


def replaying(
    server: Server, agents: Sequence[ActiveAgent], wanted: Range, *, id_: str
) -> Generator[Replayed]:
    """Read the range again, and yield how far it is. Raises pymongo's and Django's errors."""
    return read_again(server.client, agents, wanted, id_=id_, ingest=_ingest(), unhealthy=_unhealthy)


def _ingest() -> Ingest:
    from mongoclaw_project.celery import app

    # No room in the broker: dispatch sends the rows when their turn has come.
    return Ingest(
        Publisher(app, Routes(current(), monotonic=time.monotonic)),
        windows=Windows(0, 1.0),
        pressure=Pressure(PressurePolicy(), time.monotonic),
        unhealthy=_unhealthy,
        now=_now,
        monotonic=time.monotonic,
    )


def _unhealthy(agent_id: str, reason: str) -> None:
    mark_health(agent_id, "unhealthy", reason)


def _now() -> datetime:
    return datetime.now(UTC)
