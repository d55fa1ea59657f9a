"""Which agents an event is for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from bson import Timestamp
from pymongo import MongoClient

from agents_app.registry import ActiveAgent
from watcher import fields
from watcher.event import ChangeEvent
from watcher.filtering import Filtering, FilterUnusable
from watcher.origin import Outputs, is_cascade, is_self_write, outputs_of

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
        self._unhealthy = unhealthy
        self._by_collection: dict[str, list[ActiveAgent]] = {}
        for agent in agents:
            self._by_collection.setdefault(agent.spec.watch.collection, []).append(agent)

    def match(self, events: Sequence[ChangeEvent]) -> list[Match]:
        """Pair events with agents, in the order of the events within each agent.

        An agent whose filter the server refuses is reported as unhealthy and matches nothing; the others go on.
        A document that breaks a filter matches: its row fails and says why.
        Raises pymongo's errors for anything that may pass: the batch is then to be matched again.
        """
        found: list[Match] = []
        for collection, agents in self._by_collection.items():
            here = [event for event in events if event.collection == collection]
            if not here:
                continue
            writers = self._writers_of(here[0])
            for agent in agents:
                wanted = [event for event in here if self._concerns(agent, event)]
                found += [
                    Match(agent, event, is_cascade(event, writers)) for event in self._filtered(agent, wanted)
                ]
        return found

    def _writers_of(self, event: ChangeEvent) -> list[Outputs]:
        place = (event.database, event.collection)
        agents = (agent for group in self._by_collection.values() for agent in group)
        return [self._outputs[agent.agent_id] for agent in agents if agent.spec.target_namespace == place]

    def _concerns(self, agent: ActiveAgent, event: ChangeEvent) -> bool:
        if event.operation not in agent.spec.watch.operations or event.cluster_time < _enabled_since(agent):
            return False
        if not fields.concerns(event, agent.spec.watch.fields):
            return False
        return not is_self_write(event, agent, self._outputs[agent.agent_id])

    def _filtered(self, agent: ActiveAgent, events: Sequence[ChangeEvent]) -> Iterable[ChangeEvent]:
        try:
            return self._filtering.matching(agent, events)
        except FilterUnusable as error:
            self._unhealthy(agent.agent_id, f"watch.filter cannot be evaluated: {error}")
            return []


def _enabled_since(agent: ActiveAgent) -> Timestamp:
    return Timestamp(max(0, int(agent.enabled_at.timestamp()) - ENABLING_SLACK_SECONDS), 0)
