"""How busy the fleet is, and how much it can do at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from django.db import connection
from django.db.models import Sum

from executions_app.models import WorkerProcess

SILENT: Final = timedelta(minutes=5)
"""A worker that has said nothing for so long does no work; clocks of hosts may differ by less."""

UNKNOWN_SLOTS: Final = 64
"""What is assumed of a fleet of which no worker has said anything yet."""

# `queued_at` and `worker` say what is true of every such row, to the planner of SQLite: without it the planner takes
# another index for as good as the one of the few rows in this state.
LOAD_SQL: Final = """
    SELECT 'queued', agent_id, COUNT(*) FROM executions_app_execution
     WHERE status = 'queued' AND queued_at IS NOT NULL GROUP BY agent_id
    UNION ALL
    SELECT 'running', agent_id, COUNT(*) FROM executions_app_execution
     WHERE status = 'running' AND worker > '' GROUP BY agent_id
"""


@dataclass(frozen=True, slots=True)
class Load:
    """Rows in the broker and at work, by agent."""

    queued: Counter[str] = field(default_factory=Counter)
    running: Counter[str] = field(default_factory=Counter)

    def busy(self, agent: str) -> int:
        """Count an agent's rows in flight."""
        return self.queued[agent] + self.running[agent]

    @property
    def total(self) -> int:
        """Count all rows in flight."""
        return self.queued.total() + self.running.total()

    @property
    def agents(self) -> frozenset[str]:
        """Name the agents that have rows in flight."""
        return frozenset(self.queued.keys() | self.running.keys())


def present_load() -> Load:
    """Count what is in flight. As many index entries are read as rows are in flight, which the windows bound."""
    with connection.cursor() as cursor:
        # Written out, because building the query costs the ORM as much as all else that a single event needs.
        cursor.execute(LOAD_SQL)
        return load_of(cursor.fetchall())


def load_of(rows: Iterable[tuple[str, str, int]]) -> Load:
    """Read what `LOAD_SQL` gives."""
    load = Load()
    counters = {"queued": load.queued, "running": load.running}
    for status, agent, count in rows:
        counters[status][agent] = count
    return load


# Every priority is one; said, SQLite takes the index of what waits and not the one of the agent's whole history.
_WAITING_SQL: Final = """
    SELECT COUNT(*) FROM (
        SELECT 1 FROM executions_app_execution
         WHERE status = 'pending' AND agent_id = %s AND priority >= -32768 LIMIT %s) AS waiting
"""


def waiting_of(agent: str, *, most: int) -> int:
    """Count an agent's rows that wait in the ledger, up to `most`."""
    with connection.cursor() as cursor:
        cursor.execute(_WAITING_SQL, [agent, most])
        return int(cursor.fetchone()[0])


def fleet_slots(now: datetime) -> int:
    """Return how many runs the workers can do at a time."""
    alive = WorkerProcess.objects.filter(beat_at__gt=now - SILENT)
    slots: int | None = alive.aggregate(slots=Sum("slots"))["slots"]
    return slots or UNKNOWN_SLOTS
