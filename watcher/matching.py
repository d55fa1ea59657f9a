"""Which agents an event is for. Filters mean what MongoDB means, because MongoDB evaluates them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import bson
from bson import Timestamp
from pymongo import MongoClient, ReadPreference
from pymongo.errors import OperationFailure

from agents_app.registry import ActiveAgent
from executions_app.identity import CODEC
from watcher.event import ChangeEvent
from watcher.origin import Outputs, is_cascade, is_self_write, outputs_of

Document = dict[str, Any]
Unhealthy = Callable[[str, str], object]

ENABLING_SLACK_SECONDS: Final = 5
"""An event this much older than the enabling still counts: clocks of web host and mongod may differ."""

_TRANSIENT: Final = frozenset(
    {6, 7, 89, 91, 189, 262, 9001, 10107, 11600, 11602, 13435, 13436, 50, 133, 134, 43}
)


@dataclass(frozen=True, slots=True)
class Match:
    """An event that an agent must answer to."""

    agent: ActiveAgent
    event: ChangeEvent
    cascade: bool


class Matcher:
    """Matches batches against a fixed set of agents of one database."""

    def __init__(
        self, client: MongoClient[Document], agents: Sequence[ActiveAgent], unhealthy: Unhealthy
    ) -> None:
        self._client = client
        self._outputs = {agent.agent_id: outputs_of(agent) for agent in agents}
        self._unhealthy = unhealthy
        self._by_collection: dict[str, list[ActiveAgent]] = {}
        for agent in agents:
            self._by_collection.setdefault(agent.spec.watch.collection, []).append(agent)

    def match(self, events: Sequence[ChangeEvent]) -> list[Match]:
        """Pair events with agents, in the order of the events within each agent.

        An agent whose filter cannot be evaluated is reported as unhealthy and matches nothing; the others go on.
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
        return not is_self_write(event, agent, self._outputs[agent.agent_id])

    def _filtered(self, agent: ActiveAgent, events: Sequence[ChangeEvent]) -> Iterable[ChangeEvent]:
        if agent.spec.watch.filter is None or not events:
            return events
        try:
            matching = self._matching_keys(agent, events)
        except OperationFailure as error:
            if error.code in _TRANSIENT or error.has_error_label("RetryableReadError"):
                raise
            self._unhealthy(agent.agent_id, f"watch.filter cannot be evaluated: {_message(error)}")
            return []
        return [event for event in events if _identity(event.key) in matching]

    def _matching_keys(self, agent: ActiveAgent, events: Sequence[ChangeEvent]) -> set[bytes]:
        """Ask the primary which of the documents match now, not earlier than the newest of the events."""
        spec = agent.spec
        keys = list({_identity(event.key): event.key for event in events}.values())
        command = {
            "find": spec.watch.collection,
            "filter": {"$and": [{"_id": {"$in": keys}}, spec.watch.filter]},
            "projection": {"_id": 1},
            "batchSize": len(keys) + 1,
            "singleBatch": True,
            "readConcern": {
                "level": "local",
                "afterClusterTime": max(event.cluster_time for event in events),
            },
        }
        reply = self._client.get_database(spec.watch.database).command(
            command, codec_options=CODEC, read_preference=ReadPreference.PRIMARY
        )
        return {_identity(found["_id"]) for found in reply["cursor"]["firstBatch"]}


def _identity(key: object) -> bytes:
    return bson.encode({"_id": key})


def _message(error: OperationFailure) -> str:
    details = error.details or {}
    return str(details.get("errmsg") or error)


def _enabled_since(agent: ActiveAgent) -> Timestamp:
    return Timestamp(max(0, int(agent.enabled_at.timestamp()) - ENABLING_SLACK_SECONDS), 0)
