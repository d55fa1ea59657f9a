"""Which agents an event is for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pymongo import MongoClient

from agents_app.registry import ActiveAgent
from watcher.matching import fields
from watcher.matching.filtering import Filtering
from watcher.matching.origin import Outputs, is_cascade, is_self_write, outputs_of
from watcher.matching.search import FilterUnusable
from watcher.reading.event import ChangeEvent

Document = dict[str, Any]
Unhealthy = Callable[[str, str], object]

ENABLING_SLACK_SECONDS: Final = 5
"""An event this much older than the enabling still counts: clocks of web host and mongod may differ."""


@dataclass(frozen=True, slots=True)
class Match:
    """An event that an agent must answer to."""

    agent: ActiveAgent
    event: ChangeEvent
    cascade: bool


class Matcher:
    """Matches batches against a fixed set of agents of one database."""

    def __init__(
        self,
        client: MongoClient[Document],
        agents: Sequence[ActiveAgent],
        unhealthy: Unhealthy,
        *,
        monotonic: Callable[[], float],
    ) -> None:
        self._filtering = Filtering(client, monotonic=monotonic)
        self._outputs = {agent.agent_id: outputs_of(agent) for agent in agents}
        self._operations = {
            agent.agent_id: frozenset(map(str, agent.spec.watch.operations)) for agent in agents
        }
        self._unhealthy = unhealthy
        self._by_collection: dict[str, list[ActiveAgent]] = {}
        for agent in agents:
            self._by_collection.setdefault(agent.spec.watch.collection, []).append(agent)

    def match(self, events: Sequence[ChangeEvent], outcomes: Counter[str] | None = None) -> list[Match]:
        """Pair events with agents, in the order of the events within each agent.

        An agent whose filter the server refuses is reported as unhealthy and matches nothing; the others go on.
        A document that breaks a filter matches: its row fails and says why. `outcomes` counts what became of them.
        Raises pymongo's errors for anything that may pass: the batch is then to be matched again.
        """
        tally: Counter[str] = Counter()
        found: list[Match] = []
        for collection, agents in self._by_collection.items():
            here = [event for event in events if event.collection == collection]
            if not here:
                continue
            writers = self._writers_of(here[0])
            for agent in agents:
                wanted = self._filtered(agent, self._wanted(agent, here, tally), tally)
                found += [Match(agent, event, is_cascade(event, writers)) for event in wanted]
        if outcomes is not None:
            outcomes.update(tally)
            outcomes["matched"] += len(found)
        return found

    def _writers_of(self, event: ChangeEvent) -> list[Outputs]:
        place = (event.database, event.collection)
        agents = (agent for group in self._by_collection.values() for agent in group)
        return [self._outputs[agent.agent_id] for agent in agents if agent.spec.target_namespace == place]

    def _wanted(
        self, agent: ActiveAgent, events: Sequence[ChangeEvent], tally: Counter[str]
    ) -> list[ChangeEvent]:
        """Leave out what the agent does not watch, what is older than its enabling, and what it wrote itself."""
        watch, own = agent.spec.watch, self._outputs[agent.agent_id]
        operations, since = self._operations[agent.agent_id], _enabled_since(agent)
        concerned = [
            event
            for event in events
            if event.operation in operations
            and event.cluster_time.time >= since
            and (watch.fields is None or fields.concerns(event, watch.fields))
        ]
        wanted = [
            event for event in concerned if event.changed is None or not is_self_write(event, agent, own)
        ]
        tally["unmatched"] += len(events) - len(concerned)
        tally["self_write"] += len(concerned) - len(wanted)
        return wanted

    def _filtered(
        self, agent: ActiveAgent, events: Sequence[ChangeEvent], tally: Counter[str]
    ) -> Sequence[ChangeEvent]:
        try:
            matching = self._filtering.matching(agent, events)
        except FilterUnusable as error:
            self._unhealthy(agent.agent_id, f"watch.filter cannot be evaluated: {error}")
            matching = []
        tally["filtered"] += len(events) - len(matching)
        return matching


def _enabled_since(agent: ActiveAgent) -> int:
    return int(agent.enabled_at.timestamp()) - ENABLING_SLACK_SECONDS
