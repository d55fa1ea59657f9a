"""From a batch of events to rows in the ledger and messages in the broker."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

import structlog

from executions_app import ledger, transitions
from executions_app.ledger import NewExecution
from executions_app.models import Execution
from executions_app.states import Reason
from watcher.event import ChangeEvent
from watcher.matching import Match, Matcher
from watcher.publisher import BrokerUnavailable, Publisher

log = structlog.get_logger(__name__)

CHUNK: Final = 500
"""Events per transaction: keeps statements within SQLite's parameter limit and the write lock short."""

BROKER_PAUSE: Final = timedelta(seconds=1)


class Ingest:
    """Records matched events and publishes those that their agent's window has room for."""

    def __init__(self, publisher: Publisher, *, window: int, now: Callable[[], datetime]) -> None:
        self._publisher = publisher
        self._window = window
        self._now = now
        self._broker_back_at = now()

    def ingest(self, matcher: Matcher, events: Sequence[ChangeEvent]) -> int:
        """Put the events on record. When this returns, they are durable; returns how many matched.

        Raises pymongo's and Django's errors: then the same events are to be given again.
        """
        matched = 0
        for start in range(0, len(events), CHUNK):
            matches = matcher.match(events[start : start + CHUNK])
            matched += len(matches)
            self._record(matches)
        return matched

    def _record(self, matches: Sequence[Match]) -> None:
        if not matches:
            return
        now = self._now()
        agents = sorted({match.agent.agent_id for match in matches})
        broker_up = now >= self._broker_back_at
        room = ledger.room_of(agents, self._window) if broker_up else {}
        sequence = time.time_ns()
        rows = [_new_execution(match, sequence + index) for index, match in enumerate(matches)]
        self._publish(ledger.record(rows, room=room, now=now))

    def _publish(self, ids: Sequence[str]) -> None:
        try:
            self._publisher.publish(ids)
        except BrokerUnavailable:
            self._broker_back_at = self._now() + BROKER_PAUSE
            log.warning("broker.unavailable", waiting=len(ids))
            transitions.withdraw(
                Execution.objects.filter(id__in=ids), Reason.BROKER_UNAVAILABLE, due_at=self._broker_back_at
            )


def _new_execution(match: Match, sequence: int) -> NewExecution:
    event, spec = match.event, match.agent.spec
    return NewExecution(
        agent_id=match.agent.agent_id,
        version_id=match.agent.version_id,
        token=event.token,
        database=event.database,
        collection=event.collection,
        key=event.key,
        operation=event.operation,
        cascade=match.cascade,
        event_time=event.cluster_time,
        sequence=sequence,
        priority=spec.execution.priority,
        coalesce=spec.execution.coalesce,
    )
