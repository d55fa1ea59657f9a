"""Which rows may go to the broker now. Found by leaps through one index: a thousand idle agents cost nothing."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db import connection
from django.db.models import Exists, OuterRef, Q, QuerySet

from executions_app.database import aware
from executions_app.load import LOAD_SQL, Load, load_of
from executions_app.models import Attempt, Execution
from executions_app.states import UNSTARTED, VALID, Slot, Status

LOW_SHARE: Final = 4
"""Rows of negative priority (backfills) may take one in so many places of an agent's window, and at least one."""

LOWEST_PRIORITY: Final = -32_768
"""No row is below it."""

# Goes from each agent's each priority to the next, and looks at the row that is due first. Every step is one look
# into the index `execution_due`, however many rows wait.
_HEADS_SQL: Final = """
    WITH RECURSIVE head(agent_id, priority, due_at) AS (
        SELECT agent_id, priority, due_at
          FROM executions_app_execution
         WHERE id = (SELECT id FROM executions_app_execution WHERE status = 'pending'
                      ORDER BY agent_id, priority DESC, due_at, sequence LIMIT 1)
        UNION ALL
        SELECT following.agent_id, following.priority, following.due_at
          FROM head
          JOIN executions_app_execution AS following ON following.id = COALESCE(
               (SELECT id FROM executions_app_execution AS lower
                 WHERE lower.status = 'pending' AND lower.agent_id = head.agent_id
                   AND lower.priority < head.priority
                 ORDER BY lower.priority DESC, lower.due_at, lower.sequence LIMIT 1),
               (SELECT id FROM executions_app_execution AS later
                 WHERE later.status = 'pending' AND later.agent_id > head.agent_id
                 ORDER BY later.agent_id, later.priority DESC, later.due_at, later.sequence LIMIT 1)))
    SELECT agent_id, priority, due_at FROM head WHERE due_at <= %s
"""


@dataclass(frozen=True, slots=True)
class Room:
    """How many more rows of an agent may be in the broker: altogether, and of negative priority."""

    total: int
    low: int

    def at_most(self, rows: int) -> Room:
        """Leave room for no more than so many rows."""
        return Room(min(self.total, rows), min(self.low, rows))


@dataclass(frozen=True, slots=True)
class Head:
    """The row of one priority that an agent has had due for longest."""

    priority: int
    due_at: datetime


def due_heads(now: datetime) -> dict[str, list[Head]]:
    """Return the agents that have due rows, each with the first of each priority, highest first."""
    found: defaultdict[str, list[Head]] = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(_HEADS_SQL, [connection.ops.adapt_datetimefield_value(now)])
        for agent, priority, due_at in cursor.fetchall():
            found[agent].append(Head(priority, aware(due_at)))
    return dict(found)


# One statement: beside a backfill in the same process, each costs its thread another wait for the interpreter.
_LOAD_AND_CHANGES_SQL: Final = f"""
    WITH RECURSIVE head(agent_id, priority, due_at) AS (
        SELECT first.agent_id, first.priority, first.due_at
          FROM agents_app_agent AS agent
          JOIN executions_app_execution AS first ON first.id =
               (SELECT id FROM executions_app_execution AS own
                 WHERE own.status = 'pending' AND own.agent_id = agent.id AND own.priority >= 0
                 ORDER BY own.priority DESC, own.due_at, own.sequence LIMIT 1)
         WHERE agent.id IN ({{agents}})
        UNION ALL
        SELECT following.agent_id, following.priority, following.due_at
          FROM head
          JOIN executions_app_execution AS following ON following.id =
               (SELECT id FROM executions_app_execution AS lower
                 WHERE lower.status = 'pending' AND lower.agent_id = head.agent_id
                   AND lower.priority < head.priority AND lower.priority >= 0
                 ORDER BY lower.priority DESC, lower.due_at, lower.sequence LIMIT 1))
    {LOAD_SQL}
    UNION ALL
    SELECT 'due', agent_id, SUM(
           (SELECT COUNT(*) FROM (
                SELECT 1 FROM executions_app_execution AS due
                 WHERE due.status = 'pending' AND due.agent_id = head.agent_id
                   AND due.priority = head.priority AND due.due_at <= %s LIMIT %s) AS counted))
      FROM head WHERE due_at <= %s GROUP BY agent_id
"""  # noqa: S608 - constants only


def load_and_changes_due(agents: Collection[str], now: datetime, *, most: int) -> tuple[Load, Counter[str]]:
    """Return what is in flight, and how many changes these agents have due, up to `most` of each priority.

    What backfills have due is no change.
    """
    marks = ", ".join(["%s"] * len(agents))
    moment = connection.ops.adapt_datetimefield_value(now)
    with connection.cursor() as cursor:
        cursor.execute(_LOAD_AND_CHANGES_SQL.format(agents=marks), [*agents, moment, most, moment])
        found = cursor.fetchall()
    waiting = Counter({agent: int(count) for kind, agent, count in found if kind == "due"})
    return load_of(row for row in found if row[0] != "due"), waiting


_LOW_IN_FLIGHT_SQL: Final = """
    SELECT agent_id, COUNT(*) FROM executions_app_execution
     WHERE status = 'queued' AND queued_at IS NOT NULL AND priority < 0 AND agent_id IN ({agents}) GROUP BY agent_id
    UNION ALL
    SELECT agent_id, COUNT(*) FROM executions_app_execution
     WHERE status = 'running' AND worker > '' AND priority < 0 AND agent_id IN ({agents}) GROUP BY agent_id
"""
"""What looks superfluous in it is for the planner of SQLite; see `executions_app.load`."""


def low_in_flight(agents: Collection[str]) -> Counter[str]:
    """Count the rows of negative priority that these agents have in the broker or running."""
    counted: Counter[str] = Counter()
    if not agents:
        return counted
    marks = ", ".join(["%s"] * len(agents))
    with connection.cursor() as cursor:
        cursor.execute(_LOW_IN_FLIGHT_SQL.format(agents=marks), [*agents, *agents])
        for agent, rows in cursor.fetchall():
            counted[agent] += rows
    return counted


def rooms(due: Mapping[str, Sequence[Head]], load: Load, window: int) -> dict[str, Room]:
    """Tell how much room agents with due rows have left in their windows."""
    low = low_in_flight([agent for agent, heads in due.items() if heads[-1].priority < 0])
    return {
        agent: Room(
            max(0, window - load.busy(agent)),
            max(0, min(window - load.busy(agent), max(1, window // LOW_SHARE) - low[agent])),
        )
        for agent in due
    }


def first_rows(agent: str, heads: Sequence[Head], room: Room, now: datetime) -> list[str]:
    """Return the ids of an agent's next rows, by priority and age, as far as there is room for them."""
    waiting = Execution.objects.filter(status=Status.PENDING, agent_id=agent, due_at__lte=now)
    ids: list[str] = []
    if heads[0].priority >= 0:
        # A backfill's row of the document stands in the way of no change: that would wait as long as the backfill.
        ids += _ids(waiting.filter(priority__gte=0), Q(priority__gte=0), room.total)
    if heads[-1].priority < 0:
        ids += _ids(waiting.filter(priority__lt=0), Q(), min(room.low, room.total - len(ids)))
    return ids


def paid_rows(agent: str, now: datetime, *, most: int, reach: int) -> list[str]:
    """Return those of an agent's first due rows, `reach` of them at most, that have an answer: they need no call.

    What is behind a longer backlog is not looked for: it is found when it comes to the front.
    """
    waiting = Execution.objects.filter(
        status=Status.PENDING, agent_id=agent, priority__gte=LOWEST_PRIORITY, due_at__lte=now
    )
    first = waiting.order_by("-priority", "due_at", "sequence").values("id")[:reach]
    begun = Execution.objects.filter(~Q(predecessor="") | Q(claim__gt=0), id__in=first)
    own = Q(execution_id=OuterRef("id")) | Q(execution_id=OuterRef("predecessor"))
    return _ids(begun.filter(Exists(Attempt.objects.filter(own, outcome=VALID))), Q(), most)


def _ids(rows: QuerySet[Execution], in_the_way: Q, most: int) -> list[str]:
    free = _unblocked(rows, in_the_way).order_by("-priority", "due_at", "sequence")
    return list(free.values_list("id", flat=True)[:most]) if most > 0 else []


def _unblocked(rows: QuerySet[Execution], in_the_way: Q) -> QuerySet[Execution]:
    """Leave out rows that must wait for an earlier row of the same document (`coalesce: false`) or a running one."""
    same = Execution.objects.filter(subject=OuterRef("subject"))
    unstarted = same.filter(in_the_way, slot__isnull=False, status__in=UNSTARTED)
    ahead = unstarted.filter(event_time__lt=OuterRef("event_time"))
    tied = unstarted.filter(event_time=OuterRef("event_time"), sequence__lt=OuterRef("sequence"))
    running = same.filter(slot=Slot.RUNNING)
    return rows.exclude(Exists(ahead)).exclude(Exists(tied)).exclude(Exists(running))
