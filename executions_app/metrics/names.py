"""Whose name stands in a label: so many at most, for each makes a series."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable
from functools import cache

from agents_app.models import Agent
from executions_app.metrics.metric import Labels, Value
from mongoclaw_project.config import current

OTHER = "_other"


class Names:
    """Names that have labels of their own; every other one is `_other`."""

    def __init__(self, own: Iterable[str]) -> None:
        self._own = frozenset(own) | {""}

    def __call__(self, name: str) -> str:
        """Return the label of a name."""
        return name if name in self._own else OTHER


def oldest_agents(limit: int) -> Names:
    """Name the agents that have been there for longest: a new one never takes another one's series away."""
    return Names(Agent.objects.order_by("created_at", "id").values_list("id", flat=True)[:limit])


class FirstSeen:
    """The names that a process has seen first. Safe in several threads."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._own: set[str] = set()
        self._lock = threading.Lock()

    def __call__(self, name: str) -> str:
        """Return the label of a name."""
        if name in self._own:
            return name
        with self._lock:
            if len(self._own) < self._limit:
                self._own.add(name)
        return name if name in self._own else OTHER


@cache
def _of_this_process() -> FirstSeen:
    return FirstSeen(current().observability.metrics_agents)


def agent_label(agent_id: str) -> str:
    """Return the label of an agent in what this process counts itself."""
    return _of_this_process()(agent_id)


def summed(values: Iterable[Value]) -> list[Value]:
    """Add up the values of equal labels."""
    found: Counter[Labels] = Counter()
    for labels, value in values:
        found[labels] += value  # type: ignore[assignment]  # Counter's numbers may be any
    return sorted(found.items())


def largest(values: Iterable[Value]) -> list[Value]:
    """Keep the largest of the values of equal labels."""
    found: dict[Labels, float] = {}
    for labels, value in values:
        found[labels] = max(value, found.get(labels, value))
    return sorted(found.items())
