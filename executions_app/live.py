"""How the queue stands at this moment: a few looks into the indexes by which dispatch works."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from django.db import connection

from executions_app import due
from executions_app.database import aware
from executions_app.due import Head
from executions_app.models import Execution
from executions_app.states import Status

MOST: Final = 10_000
"""Due rows of one agent and priority that are counted; a longer backlog is told as at least so many."""

_EVER: Final = datetime(9999, 1, 1, tzinfo=UTC)

# The index `execution_due` has these in order, so nothing beyond the first ones is looked at.
_WAITING_SQL: Final = """
    SELECT COUNT(*) FROM (
        SELECT 1 FROM executions_app_execution
         WHERE status = 'pending' AND agent_id = %s AND priority = %s AND due_at <= %s
         LIMIT %s) AS waiting
"""
_PUT_OFF_SQL: Final = """
    SELECT COUNT(*), MIN(due_at) FROM (
        SELECT due_at FROM executions_app_execution
         WHERE status = 'pending' AND agent_id = %s AND priority = %s AND due_at > %s
         ORDER BY due_at LIMIT %s) AS waiting
"""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Due rows of an agent: how many, or at least how many, and since when the oldest is due."""

    due: int
    at_least: bool
    oldest: datetime
    age_ms: float


@dataclass(frozen=True, slots=True)
class PutOff:
    """Rows of an agent whose time has not come: retries, deferrals, a pace; how many, and when the first is due."""

    rows: int
    at_least: bool
    next_due: datetime


@dataclass(frozen=True, slots=True)
class Live:
    """What waits, by agent, and how long 95 % of the runs at work now had been due before; None if none is."""

    agents: Mapping[str, Waiting]
    queue_age_p95_ms: float | None


def look(
    now: datetime,
    *,
    agent_id: str | None = None,
    only: Collection[str] | None = None,
    most: int = MOST,
    together: int | None = None,
) -> Live:
    """Look at the queue of an agent, or at that of all, or at that of all among `only`.

    `most` due rows of an agent and priority are counted; fewer, and each alike, where that would be more than
    `together` in all.
    """
    heads = due.due_heads(now)
    wanted = {
        agent: found
        for agent, found in heads.items()
        if agent_id in {None, agent} and (only is None or agent in only)
    }
    if together is not None:
        most = max(1, min(most, together // max(1, sum(map(len, wanted.values())))))
    agents = {agent: _waiting(agent, found, now, most) for agent, found in sorted(wanted.items())}
    return Live(agents, _queue_age(agent_id, only))


def put_off(
    now: datetime, *, agent_id: str | None = None, only: Collection[str] | None = None
) -> dict[str, PutOff]:
    """Count what waits for its time, by agent: it is in no queue, and no worker could take it yet."""
    found = {}
    for agent, heads in sorted(due.due_heads(_EVER).items()):
        if agent_id in {None, agent} and (only is None or agent in only):
            counts = [_later(agent, head, now) for head in heads]
            moments = [moment for _, moment in counts if moment is not None]
            if moments:
                rows = [number for number, _ in counts]
                found[agent] = PutOff(sum(rows), max(rows) == MOST, min(moments))
    return found


def _later(agent: str, head: Head, now: datetime) -> tuple[int, datetime | None]:
    moment = connection.ops.adapt_datetimefield_value(now)
    with connection.cursor() as cursor:
        cursor.execute(_PUT_OFF_SQL, [agent, head.priority, moment, MOST])
        number, first = cursor.fetchone()
    return number, None if first is None else aware(first)


def _waiting(agent: str, heads: Sequence[Head], now: datetime, most: int) -> Waiting:
    moment = connection.ops.adapt_datetimefield_value(now)
    counts = []
    with connection.cursor() as cursor:
        for head in heads:
            cursor.execute(_WAITING_SQL, [agent, head.priority, moment, most])
            counts.append(cursor.fetchone()[0])
    oldest = min(head.due_at for head in heads)
    return Waiting(sum(counts), max(counts) == most, oldest, (now - oldest).total_seconds() * 1000)


def _queue_age(agent_id: str | None, only: Collection[str] | None) -> float | None:
    # `worker` says what is true of each such row, so that SQLite takes the index of the few that are at work.
    running = Execution.objects.filter(status=Status.RUNNING, worker__gt="")
    if agent_id is not None:
        running = running.filter(agent_id=agent_id)
    if only is not None:
        running = running.filter(agent_id__in=only)
    moments = running.values_list("due_at", "started_at")
    ages = sorted(
        max(0.0, (started - due_at).total_seconds() * 1000) for due_at, started in moments if started
    )
    return ages[math.ceil(0.95 * len(ages)) - 1] if ages else None
