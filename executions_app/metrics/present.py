"""How the fleet stands at the moment of a scrape: a few looks into SQL, none of which counts without a bound."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from django.db import connection
from django.db.models import Count

from agents_app.models import Agent, Health
from executions_app import gaps, live
from executions_app.dead_letters import OTHERS
from executions_app.metrics.declared import fleet
from executions_app.metrics.metric import Family, family
from executions_app.metrics.names import OTHER, Names, largest, summed
from executions_app.models import Execution, Leadership
from executions_app.routing import Outbound, Plan, queue_of
from executions_app.states import Status
from executions_app.vital_signs import Sign, VitalSigns, signs

MOST_PENDING: Final = 50_000
MOST_IN_FLIGHT: Final = 20_000
"""Rows in the broker, and rows at work, that are read; the windows let fewer through."""

WORKER: Final = "worker"

# The last condition is true of every row; said, SQLite takes the index of what waits.
_PENDING_SQL: Final = f"""
    SELECT COUNT(*) FROM (
        SELECT 1 FROM executions_app_execution
         WHERE status = 'pending' AND agent_id > '' LIMIT {MOST_PENDING}) AS waiting
"""  # noqa: S608 - a constant


@dataclass(frozen=True, slots=True, kw_only=True)
class Sights:
    """What a look needs to know."""

    now: datetime
    names: Names
    plan: Plan
    vital_signs: VitalSigns
    consumer_group: str
    per_slot: float


class InFlight(NamedTuple):
    """A row in the broker or at work."""

    agent_id: str
    queue: str
    worker: str


def of_ledger(sights: Sights) -> Iterator[Family]:
    """Compute what waits, what is at work and who works. Raises Django's database errors."""
    queued = in_flight(Status.QUEUED, sights.plan)
    running = in_flight(Status.RUNNING, sights.plan)
    yield from _backlog(sights, {"queued": len(queued), "running": len(running)})
    yield from _queues(sights, queued, running)
    yield from _workers(sights, queued, running)
    yield from _agents(sights)
    terms = Leadership.objects.order_by("name").values_list("name", "term")
    yield family(fleet.LEADERSHIP, (((name,), term) for name, term in terms))


def in_flight(status: Status, plan: Plan) -> list[InFlight]:
    """Read the rows in the broker, or those at work, each with its queue."""
    # What looks superfluous is for the planner of SQLite; see `executions_app.load`.
    mark = {"queued_at__isnull": False} if status is Status.QUEUED else {"worker__gt": ""}
    rows = Execution.objects.filter(status=status, **mark).order_by()
    found = rows.values_list(*Outbound._fields, "worker")[:MOST_IN_FLIGHT]
    return [InFlight(row[1], queue_of(Outbound(*row[:-1]), plan), row[-1]) for row in found]


def _backlog(sights: Sights, counted: Mapping[str, int]) -> Iterator[Family]:
    with connection.cursor() as cursor:
        cursor.execute(_PENDING_SQL)
        pending: int = cursor.fetchone()[0]
    yield family(fleet.RUNS, ((("pending",), pending), *(((name,), n) for name, n in counted.items())))
    seen = live.look(sights.now)
    waiting = seen.agents.items()
    yield family(fleet.DUE_RUNS, summed(((sights.names(agent),), one.due) for agent, one in waiting))
    ages = (((sights.names(agent),), one.age_ms / 1000) for agent, one in waiting)
    yield family(fleet.OLDEST_DUE, largest(ages))
    yield family(fleet.QUEUE_AGE_P95, [((), (seen.queue_age_p95_ms or 0.0) / 1000)])


def _queues(sights: Sights, queued: Sequence[InFlight], running: Sequence[InFlight]) -> Iterator[Family]:
    for metric, rows in ((fleet.STREAM_PENDING, queued), (fleet.STREAM_INFLIGHT, running)):
        yield family(metric, summed(((sights.names(row.agent_id), row.queue), 1) for row in rows))
    # A queue in which nothing waits is 0 as long as anything of it is at work.
    sizes = [((row.queue,), 1.0) for row in queued] + [((row.queue,), 0.0) for row in running]
    yield family(fleet.QUEUE_SIZE, summed(sizes or [((queue,), 0.0) for queue in _usual(sights.plan)]))
    group = sights.consumer_group
    pending = [((row.queue, group), 1.0) for row in running] + [((row.queue, group), 0.0) for row in queued]
    usual = [((queue, group), 0.0) for queue in _usual(sights.plan)]
    yield family(fleet.QUEUE_PENDING, summed(pending or usual))


def _usual(plan: Plan) -> tuple[str, ...]:
    """Name the queue of a row of no agent, so that an idle fleet shows a 0 and no gap."""
    return (queue_of(Outbound("", "", "", "", "", 0), plan),)


def _workers(sights: Sights, queued: Sequence[InFlight], running: Sequence[InFlight]) -> Iterator[Family]:
    known = {sign.id: sign for sign in signs(WORKER)}
    living = sights.vital_signs.living(known.values(), now=sights.now)
    alive = [known[id_] for id_ in living]
    slots = sum(sign.slots for sign in alive)
    pools = Counter(map(pool_of, alive))
    yield family(fleet.WORKERS, summed([(("threads",), 0.0), *(((pool,), n) for pool, n in pools.items())]))
    yield family(fleet.WORKER_SLOTS, [((), slots)])
    work = (((pool_of(known[row.worker]),), 1.0) for row in running if row.worker in known)
    yield family(fleet.PROCESSING, summed([(("threads",), 0.0), *work]))
    places = slots * sights.per_slot or 1.0
    taken = Counter(row.queue for row in (*queued, *running))
    usual = [((queue,), 0.0) for queue in _usual(sights.plan)]
    yield family(fleet.FULLNESS, [((queue,), n / places) for queue, n in sorted(taken.items())] or usual)


def pool_of(sign: Sign) -> str:
    """Name the kind of a worker's pool, by how many runs it does at a time."""
    return "threads" if sign.slots > 1 else "single"


def _agents(sights: Sights) -> Iterator[Family]:
    kinds = Agent.objects.filter(archived_at=None).order_by().values_list("enabled", "health")
    zeros = [((status,), 0.0) for status in ("enabled", "disabled", "unhealthy")]
    counted = ((_standing(*row[:2]), row[2]) for row in kinds.annotate(number=Count("id")))
    yield family(fleet.AGENTS, summed([*zeros, *(((status,), n) for status, n in counted)]))
    open_gaps = gaps.unsettled().order_by().values_list("agent_id", "status").annotate(number=Count("id"))
    yield family(fleet.GAPS, summed(((sights.names(agent), status), n) for agent, status, n in open_gaps))


def _standing(enabled: bool, health: str) -> str:
    if not enabled:
        return "disabled"
    return "unhealthy" if health == Health.UNHEALTHY else "enabled"


def of_letters(counted: Mapping[tuple[str, str], int], names: Names) -> Iterator[Family]:
    """Tell of dead letters that were counted, by agent and reason."""
    kinds = (((names(agent), reason.replace(OTHERS, OTHER)), n) for (agent, reason), n in counted.items())
    yield family(fleet.DEAD_LETTERS, summed(kinds))
    yield family(fleet.DLQ_SIZE, [((), sum(counted.values()))])
