"""Goals of agents (SLO): how long changes may wait, how many runs may fail, how many may be late.

What ends is read from the sums of everything counted (ADR 0029), one row for each agent, and a quarter of an hour is
the difference between two looks. A leader that has just begun knows the time since its first look only.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from agents_app import registry
from executions_app import due, holds
from executions_app.due import Head
from executions_app.fence import Term
from executions_app.models import AgentTotal, Execution, Requeue
from executions_app.notifications import alarms, outbox
from executions_app.notifications.alarms import Level, Reading
from executions_app.states import Status
from mongoclaw_project.config.hooks import NotificationEvent

EVENT: Final = NotificationEvent.SLO

WINDOW: Final = timedelta(minutes=15)
"""The time in which runs are counted."""

FEWEST: Final = 20
"""A share of fewer runs breaks no goal."""

FIRST_ROWS: Final = 100
"""Waiting rows of an agent and priority that are looked at; beyond them the oldest is at least as old."""

_EVER: Final = datetime(9999, 1, 1, tzinfo=UTC)


class Sums(NamedTuple):
    """How many runs of an agent ended."""

    completed: int = 0
    failed: int = 0
    in_time: int = 0

    def since(self, before: Sums) -> Sums:
        """Return what ended since."""
        return Sums(*(now - then for now, then in zip(self, before, strict=True)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Goals:
    """What is promised: seconds that a change waits at most, and shares of runs. 0 is no promise."""

    waiting_seconds: float
    failed_share: float
    late_share: float


@dataclass(slots=True)
class GoalKeeper:
    """Looks whether goals are kept, and remembers the looks of a quarter of an hour."""

    goals: Goals
    _looks: deque[tuple[datetime, Mapping[str, Sums]]] = field(default_factory=deque)

    def look(self, *, now: datetime, term: Term | None) -> int:
        """Write what is to be told of goals; returns how many notifications.

        Raises Django's database errors, and Fenced.
        """
        if not outbox.is_wanted(EVENT):
            self.forget()
            alarms.forget(EVENT)
            return 0
        agents = {agent.agent_id: agent.enabled_at for agent in registry.active_agents()}
        readings = [*self._of_ends(agents, now), *self._of_waiting(agents, now)]
        return alarms.settle(EVENT, readings, now=now, term=term)

    def forget(self) -> None:
        """Forget the looks: another one leads now."""
        self._looks.clear()

    def _of_ends(self, agents: Collection[str], now: datetime) -> Iterator[Reading]:
        totals = _totals()
        self._looks.append((now, totals))
        while len(self._looks) > 1 and now - self._looks[1][0] >= WINDOW:
            self._looks.popleft()
        before = self._looks[0][1]
        for agent_id in sorted(agents):
            # An agent without a sum had none when the first look was made either.
            ended = totals.get(agent_id, Sums()).since(before.get(agent_id, Sums()))
            runs, late = ended.completed + ended.failed, ended.completed - ended.in_time
            yield from _of_share("failed", agent_id, ended.failed, runs, self.goals.failed_share)
            yield from _of_share("late", agent_id, late, ended.completed, self.goals.late_share)

    def _of_waiting(self, agents: Mapping[str, datetime], now: datetime) -> Iterator[Reading]:
        limit = self.goals.waiting_seconds
        if not limit:
            return
        held, lifted = holds.in_force(), holds.lifted_since(now - timedelta(days=1))
        for agent_id, heads in due.due_heads(_EVER).items():
            if agent_id not in agents or held.of(agent_id):
                continue
            free = max(
                agents[agent_id], *(lifted.get(scope, agents[agent_id]) for scope in (agent_id, holds.ALL))
            )
            since = max(free, oldest_change(agent_id, heads) or now)
            yield _reading("waiting", agent_id, max(0.0, round((now - since).total_seconds(), 1)), limit)


def _of_share(goal: str, agent_id: str, bad: int, runs: int, limit: float) -> Iterator[Reading]:
    if limit:
        share = round(bad / runs, 4) if runs else 0.0
        yield _reading(goal, agent_id, share, limit, is_enough=runs >= FEWEST)


def _reading(goal: str, agent_id: str, value: float, limit: float, *, is_enough: bool = True) -> Reading:
    """A goal is kept again from the half of its limit on, so that what lies close to it does not come and go."""
    level = Level.CALM if value <= limit / 2 else Level.BETWEEN
    if value > limit and is_enough:
        level = Level.TROUBLE
    return Reading(about=goal, agent_id=agent_id, level=level, told={"value": value, "limit": limit})


def _totals() -> dict[str, Sums]:
    rows = AgentTotal.objects.values_list("agent_id", "completed", "failed", "within_slo")
    return {agent_id: Sums(*sums) for agent_id, *sums in rows}


def oldest_change(agent_id: str, heads: Collection[Head]) -> datetime | None:
    """Tell since when the oldest waiting change has been on record, due or put off; None if none waits.

    Not since when it is due: what a limit or an outage holds up is due anew each time.
    """
    found: list[datetime] = []
    for head in heads:
        if head.priority < 0:
            continue
        waiting = Execution.objects.filter(
            status=Status.PENDING, agent_id=agent_id, priority=head.priority
        ).order_by("due_at", "sequence")
        rows = dict(waiting.values_list("id", "created_at")[:FIRST_ROWS])
        again = Requeue.objects.filter(execution_id__in=rows).values_list("execution_id", flat=True)
        for id_ in set(again):
            del rows[id_]
        found += rows.values()
    return min(found, default=None)
