"""From a batch of events to rows in the ledger and messages in the broker."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

import structlog
from bson.errors import BSONError
from django.db import DataError, IntegrityError

from agents_app.spec import AgentSpec
from executions_app import ledger, transitions
from executions_app.fence import Term
from executions_app.ledger import NewExecution, Recorded
from executions_app.metrics.names import agent_label
from executions_app.models import Execution
from executions_app.states import Status
from watcher.matching.matcher import Match, Matcher, Unhealthy
from watcher.observing.metrics import ADMISSION, CHANGES, COMMIT_TO_BROKER_SECONDS, EVENTS, ROWS
from watcher.reading.event import ChangeEvent
from watcher.recording.pressure import DECISIONS, DEFER, Pressure
from watcher.sending.publisher import Publisher
from watcher.sending.sender import Sender
from watcher.sending.windows import Windows
from watcher.unit import STREAM_LEASE

log = structlog.get_logger(__name__)

CHUNK: Final = 1000
"""Events per transaction: a commit costs as much as a hundred rows, and the write lock is held for 50 ms at most."""


ROW_AT_FAULT: Final = (DataError, IntegrityError, BSONError, ValueError, OverflowError)
"""What a database or an encoder says of one row's contents. Anything else is the database's own trouble and passes."""


@dataclass(slots=True)
class Shedding:
    """Ends the rows that are new in a transaction and do not fit into the window of an agent under pressure.

    A change of a document that waits already has joined its row, so it is not among them. `ended` counts by agent.
    """

    outcomes: Mapping[str, Status]
    now: datetime
    ended: Counter[str] = field(default_factory=Counter)

    def end(self, _new: int) -> None:
        """End them in the transaction that goes on."""
        for agent, outcome in self.outcomes.items():
            new = Execution.objects.filter(agent_id=agent, created_at=self.now)
            self.ended[agent] += transitions.shed(new, outcome, now=self.now)


class Ingest:
    """Records matched events and publishes those that their agent's window has room for."""

    def __init__(
        self,
        publisher: Publisher,
        *,
        windows: Windows,
        pressure: Pressure,
        unhealthy: Unhealthy,
        now: Callable[[], datetime],
        monotonic: Callable[[], float],
    ) -> None:
        self._publisher = publisher
        self._sender = Sender(publisher, now=now, monotonic=monotonic)
        self._windows = windows
        self._pressure = pressure
        self._unhealthy = unhealthy
        self._now = now

    def ingest(self, matcher: Matcher, events: Sequence[ChangeEvent], *, term: Term | None = None) -> int:
        """Put the events on record. When this returns, they are durable; returns how many matched.

        Raises pymongo's and Django's errors: then the same events are to be given again. Raises Fenced if the
        term is over: then they are another process's.
        """
        matched = 0
        stream = term.name.removeprefix(STREAM_LEASE) if term else ""
        for start in range(0, len(events), CHUNK):
            outcomes: Counter[str] = Counter()
            chunk = events[start : start + CHUNK]
            matches = matcher.match(chunk, outcomes)
            self._record(matches, term)
            matched += len(matches)
            for outcome, count in outcomes.items():
                EVENTS.labels(stream, outcome).inc(count)
            for labels, count in Counter(map(_kind, chunk)).items():
                CHANGES.labels(*labels).inc(count)
        return matched

    def _record(self, matches: Sequence[Match], term: Term | None) -> None:
        if not matches:
            return
        now = self._now()
        specs = {match.agent.agent_id: match.agent.spec for match in matches}
        shedding = Shedding(self._pressure.shed(specs), now)
        room = self._windows.direct(specs, now) if self._sender.ready else {}
        sequence = time.time_ns()
        rows = [_new_execution(match, sequence + index) for index, match in enumerate(matches)]
        try:
            recorded = ledger.enter(rows, room=room, now=now, term=term, along=shedding.end)
        except ROW_AT_FAULT:
            self._record_one_by_one(rows, now, term)
            return
        _count(recorded, shedding.ended.total(), len(rows))
        outcomes = shedding.outcomes
        waiting = {agent: changes for agent, changes in recorded.deferred.items() if agent not in outcomes}
        self._count_admission(
            [(specs[agent], DEFER, changes) for agent, changes in waiting.items()]
            + [
                (specs[agent], DECISIONS[outcomes[agent]], changes)
                for agent, changes in shedding.ended.items()
            ]
        )
        if recorded.to_publish and self._sender.send(
            recorded.to_publish, ahead=self._windows.ahead, term=term
        ):
            self._note_delay(matches)

    def _count_admission(self, decided: Sequence[tuple[AgentSpec, str, int]]) -> None:
        for spec, decision, changes in decided:
            labels = (agent_label(spec.id), self._publisher.queue_of(spec), decision)
            ADMISSION.labels(*labels).inc(changes)

    def _note_delay(self, matches: Sequence[Match]) -> None:
        """Note the delay of the oldest event: one figure for a publication."""
        committed = [match.event.wall_time for match in matches if match.event.wall_time is not None]
        if committed:
            delay = self._now() - min(committed).replace(tzinfo=UTC)
            COMMIT_TO_BROKER_SECONDS.observe(max(0.0, delay.total_seconds()))

    def _record_one_by_one(self, rows: Sequence[NewExecution], now: datetime, term: Term | None) -> None:
        """Record what can be recorded; dispatch finds it. One event that cannot be must not stop all later ones."""
        lost: list[tuple[NewExecution, str]] = []
        for row in rows:
            try:
                ledger.enter([row], room={}, now=now, term=term)
            except ROW_AT_FAULT as error:
                # The name alone: the text quotes the document.
                lost.append((row, type(error).__name__))
        for row, error_name in lost:
            log.error("event.not_recorded", agent_id=row.agent_id, token=row.token, error=error_name)
        for agent_id, count in Counter(row.agent_id for row, _ in lost).items():
            reason = f"changes that could not be put on record: {count}; see event.not_recorded in the log"
            self._unhealthy(agent_id, reason)


def _kind(event: ChangeEvent) -> tuple[str, str, str]:
    return event.database, event.collection, event.operation


def _count(recorded: Recorded, shed: int, events: int) -> None:
    ROWS.labels("queued").inc(recorded.queued)
    ROWS.labels("pending").inc(recorded.pending - shed)
    ROWS.labels("shed").inc(shed)
    ROWS.labels("known").inc(events - recorded.queued - recorded.pending)


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
        coalesce=spec.coalesces,
        since_first=spec.watch.wants_state_before,
    )
