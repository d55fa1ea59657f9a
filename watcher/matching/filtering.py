"""Evaluating one agent's filter on documents that changed. Filters mean what MongoDB means: it evaluates them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import bson
import structlog
from bson import Timestamp
from pymongo import MongoClient, ReadPreference
from pymongo.errors import OperationFailure

from agents_app.registry import ActiveAgent
from agents_app.spec import Operation
from executions_app.identity import CODEC
from watcher.matching.search import matching_keys
from watcher.reading.event import ChangeEvent

log = structlog.get_logger(__name__)

Document = dict[str, Any]

QUERY_SECONDS: Final = 10.0
"""A filter that is too slow is an error after this long. The driver itself gives up a frozen primary in 30 s."""

PATIENCE_SECONDS: Final = 30.0
"""How long one agent's refused query may hold up the events of its database's other agents."""


class Filtering:
    """Asks the primary which documents match. Whom it cannot tell about goes on record: the worker looks again."""

    def __init__(self, client: MongoClient[Document], *, monotonic: Callable[[], float]) -> None:
        self._client = client
        self._monotonic = monotonic
        self._refused_since: dict[str, float] = {}
        self._unasked_until: dict[str, float] = {}

    def matching(self, agent: ActiveAgent, events: Sequence[ChangeEvent]) -> Sequence[ChangeEvent]:
        """Return the events whose documents match the agent's filter now, or break it.

        What is to match as it was before or after the change matches here: the worker reads that state, and asks.

        Raises FilterUnusable, and pymongo's errors for what may pass: then the same events are to be given again.
        Once the server has refused this agent's query for PATIENCE_SECONDS, all of them match, and it is asked
        again after as long.
        """
        if agent.spec.watch.filter is None or not events or self._is_left_to_workers(agent):
            return events
        asked = [event for event in events if not _matches_an_image(agent, event)]
        if not asked:
            return events
        keys = {_identity(event.key): event.key for event in asked}
        not_before = max(event.cluster_time for event in asked)
        try:
            found = matching_keys(
                lambda some: self._ask(agent, [keys[one] for one in some], not_before), list(keys)
            )
        except OperationFailure as error:
            if not self._leave_to_workers(agent):
                raise
            log.warning(
                "filter.left_to_workers", agent_id=agent.agent_id, code=error.code, events=len(events)
            )
            return events
        self._refused_since.pop(agent.agent_id, None)
        return [event for event in events if _matches_an_image(agent, event) or _identity(event.key) in found]

    def _is_left_to_workers(self, agent: ActiveAgent) -> bool:
        return self._monotonic() < self._unasked_until.get(agent.agent_id, float("-inf"))

    def _leave_to_workers(self, agent: ActiveAgent) -> bool:
        now = self._monotonic()
        if now - self._refused_since.setdefault(agent.agent_id, now) < PATIENCE_SECONDS:
            return False
        self._unasked_until[agent.agent_id] = now + PATIENCE_SECONDS
        return True

    def _ask(self, agent: ActiveAgent, keys: Sequence[object], not_before: Timestamp) -> frozenset[bytes]:
        """Ask the primary which of the documents match, not earlier than the newest of the events."""
        watch = agent.spec.watch
        command = {
            "find": watch.collection,
            "filter": {"$and": [{"_id": {"$in": keys}}, watch.filter]},
            "projection": {"_id": 1},
            "batchSize": len(keys) + 1,
            "singleBatch": True,
            "maxTimeMS": int(QUERY_SECONDS * 1000),
            "readConcern": {"level": "local", "afterClusterTime": not_before},
        }
        reply = self._client.get_database(watch.database).command(
            command, codec_options=CODEC, read_preference=ReadPreference.PRIMARY
        )
        return frozenset(_identity(found["_id"]) for found in reply["cursor"]["firstBatch"])


def _matches_an_image(agent: ActiveAgent, event: ChangeEvent) -> bool:
    watch = agent.spec.watch
    return watch.wants_state_before if event.operation == Operation.DELETE else watch.wants_state_after


def _identity(key: object) -> bytes:
    return bson.encode({"_id": key})
