"""Which queue the message of a row goes into: decided by the strategy, the row, and how many names are in use."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import Final, NamedTuple
from zlib import crc32

from mongoclaw_project.config import RoutingStrategy

QUEUE: Final = "mongoclaw"
"""The queue of the strategy `single`, and the beginning of every other queue's name."""

PARTITIONS: Final = f"{QUEUE}.partition"
"""What the names of all partitions begin with."""

NAMED_QUEUES_AT_MOST: Final = 64
"""A queue each for more agents or collections than this would slow every worker; they share partitions instead."""

HIGH: Final = 5
"""Rows of this priority or a higher one are `high`; those of a negative one, which are backfills', are `low`."""

_SAFE: Final = re.compile(r"[A-Za-z0-9_.-]{1,150}")
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9_.-]+")
_KEPT: Final = 100


class Outbound(NamedTuple):
    """A row on its way to the broker: what its message says, and what its queue depends on."""

    id: str
    agent_id: str
    database: str
    collection: str
    subject: str
    priority: int


class Home(NamedTuple):
    """An agent and the collection that it watches, which is what queues are named after."""

    agent_id: str
    database: str
    collection: str


@dataclass(frozen=True, slots=True)
class Plan:
    """How rows are spread now. `crowded` says that there are too many names for a queue each."""

    strategy: RoutingStrategy = RoutingStrategy.SINGLE
    partitions: int = 8
    crowded: bool = False


def plan_for(strategy: RoutingStrategy, partitions: int, homes: Iterable[Home]) -> Plan:
    """Settle on a plan for the agents at work."""
    names = {_name(strategy, home) for home in homes} - {""}
    return Plan(strategy, partitions, len(names) > NAMED_QUEUES_AT_MOST)


def queue_of(row: Outbound, plan: Plan) -> str:
    """Name the queue of a row's message."""
    match plan.strategy:
        case RoutingStrategy.SINGLE:
            return QUEUE
        case RoutingStrategy.BY_PRIORITY:
            return _priority_queue(row.priority)
        case RoutingStrategy.PARTITIONED:
            return _partition(row.subject, plan.partitions)
        case _:
            return _named(plan, Home(row.agent_id, row.database, row.collection))


def queue_of_agent(home: Home, priority: int, plan: Plan) -> str:
    """Name the queue of an agent's changes; of partitions, which take its documents apart, what they have in common."""
    if plan.strategy is RoutingStrategy.PARTITIONED:
        return PARTITIONS
    return queue_of(Outbound("", *home, subject="", priority=priority), plan)


def queues_of(plan: Plan, homes: Iterable[Home]) -> frozenset[str]:
    """Name all queues that the rows of these agents may go into."""
    match plan.strategy:
        case RoutingStrategy.SINGLE:
            return frozenset({QUEUE})
        case RoutingStrategy.BY_PRIORITY:
            return frozenset(_priority_queue(priority) for priority in (HIGH, 0, -1))
        case RoutingStrategy.PARTITIONED:
            return frozenset(_partition_queue(number) for number in range(plan.partitions))
        case _:
            return frozenset(_named(plan, home) for home in homes)


def _named(plan: Plan, home: Home) -> str:
    name = _name(plan.strategy, home)
    return _partition(name, plan.partitions) if plan.crowded else f"{QUEUE}.{name}"


def _name(strategy: RoutingStrategy, home: Home) -> str:
    match strategy:
        case RoutingStrategy.BY_AGENT:
            return f"agent.{home.agent_id}"
        case RoutingStrategy.BY_COLLECTION:
            return f"collection.{_legible(f'{home.database}.{home.collection}')}"
        case _:
            return ""


def _priority_queue(priority: int) -> str:
    level = "high" if priority >= HIGH else "low" if priority < 0 else "normal"
    return f"{QUEUE}.priority.{level}"


def _partition(key: str, partitions: int) -> str:
    return _partition_queue(crc32(key.encode()) % partitions)


def _partition_queue(number: int) -> str:
    return f"{PARTITIONS}.{number}"


@lru_cache(maxsize=1024)
def _legible(namespace: str) -> str:
    """Give the name itself where brokers and `celery -Q` take it, or else what is legible of it and a hash."""
    if _SAFE.fullmatch(namespace):
        return namespace
    digest = blake2b(namespace.encode(), digest_size=4).hexdigest()
    return f"{_UNSAFE.sub('-', namespace)[:_KEPT]}-{digest}"
