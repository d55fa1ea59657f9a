"""Evaluating one agent's filter on documents that changed. Filters mean what MongoDB means: it evaluates them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import bson
import structlog
from bson import Timestamp
from pymongo import MongoClient, ReadPreference
from pymongo.errors import OperationFailure

from agents_app.registry import ActiveAgent
from agents_app.spec import Operation
from executions_app.filter_fault import is_filter_fault
from executions_app.identity import CODEC
from watcher.reading.event import ChangeEvent

log = structlog.get_logger(__name__)

Document = dict[str, Any]

QUERY_SECONDS: Final = 10.0
"""A filter that is too slow is an error after this long. The driver itself gives up a frozen primary in 30 s."""

PATIENCE_SECONDS: Final = 30.0
"""How long one agent's refused query may hold up the events of its database's other agents."""

MOST_QUERIES: Final = 64
"""Per agent and chunk of events: enough to find a few documents that break a filter among hundreds."""


class FilterUnusable(Exception):
    """The server refuses the filter itself, whatever the documents are."""


@dataclass(slots=True)
class _Search:
    """One agent's question about one chunk of events: which of these keys match."""

    agent: ActiveAgent
    not_before: Timestamp
    queries_left: int = MOST_QUERIES


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
        keys = list({_identity(event.key): event.key for event in asked}.values())
        search = _Search(agent, max(event.cluster_time for event in asked))
        try:
            found = self._search(search, keys)
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

    def _search(self, search: _Search, keys: list[object]) -> set[bytes]:
        try:
            return self._ask(search, keys)
        except OperationFailure as error:
            if not is_filter_fault(error):
                raise
        try:
            self._ask(search, [])
        except OperationFailure as error:
            if is_filter_fault(error):
                # Asked about no document, so the server's text quotes none.
                raise FilterUnusable(_message(error)) from None
            raise
        return self._around_fault(search, keys)

    def _around_fault(self, search: _Search, keys: list[object]) -> set[bytes]:
        """Halve the keys until each that breaks the filter stands alone; those count as matching."""
        if len(keys) == 1:
            return {_identity(keys[0])}
        middle = len(keys) // 2
        return self._half(search, keys[:middle]) | self._half(search, keys[middle:])

    def _half(self, search: _Search, keys: list[object]) -> set[bytes]:
        if search.queries_left <= 0:
            return {_identity(key) for key in keys}
        search.queries_left -= 1
        try:
            return self._ask(search, keys)
        except OperationFailure as error:
            if not is_filter_fault(error):
                raise
        return self._around_fault(search, keys)

    def _ask(self, search: _Search, keys: list[object]) -> set[bytes]:
        """Ask the primary which of the documents match, not earlier than the newest of the events."""
        watch = search.agent.spec.watch
        command = {
            "find": watch.collection,
            "filter": {"$and": [{"_id": {"$in": keys}}, watch.filter]},
            "projection": {"_id": 1},
            "batchSize": len(keys) + 1,
            "singleBatch": True,
            "maxTimeMS": int(QUERY_SECONDS * 1000),
            "readConcern": {"level": "local", "afterClusterTime": search.not_before},
        }
        reply = self._client.get_database(watch.database).command(
            command, codec_options=CODEC, read_preference=ReadPreference.PRIMARY
        )
        return {_identity(found["_id"]) for found in reply["cursor"]["firstBatch"]}


def _matches_an_image(agent: ActiveAgent, event: ChangeEvent) -> bool:
    watch = agent.spec.watch
    return watch.wants_state_before if event.operation == Operation.DELETE else watch.wants_state_after


def _identity(key: object) -> bytes:
    return bson.encode({"_id": key})


def _message(error: OperationFailure) -> str:
    details = error.details or {}
    return str(details.get("errmsg") or error)
