"""The loop of one database's stream: read a batch → match → insert rows → publish → move the position."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import structlog
from django.db import Error as DatabaseError
from django.db import connection
from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from agents_app.registry import ActiveAgent
from executions_app.database import drop_broken_connection
from executions_app.fence import Fenced, Term
from watcher.ingest import Ingest
from watcher.matching import Matcher, Unhealthy
from watcher.pipeline import build_pipeline, fingerprint_of
from watcher.position import Position, PositionStore
from watcher.starting import coverage_of, losers, other_starts, start_point
from watcher.status import StreamState, StreamStatus
from watcher.stream import START_REFUSED, Batch, ChangeStream, StartPoint
from watcher.unit import Unit

log = structlog.get_logger(__name__)

FIRST_WAIT: Final = 0.2
LONGEST_WAIT: Final = 5.0

Document = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What every reader of a process shares."""

    client: MongoClient[Document]
    positions: PositionStore
    ingest: Ingest
    unhealthy: Unhealthy
    watched: Callable[[Iterable[str]], object]
    max_await_ms: int
    position_interval: float
    now: Callable[[], datetime]
    monotonic: Callable[[], float]


class Reader(threading.Thread):
    """Reads one unit for a changing set of agents until it is stopped or fenced off."""

    def __init__(self, shared: Reading, unit: Unit, agents: Sequence[ActiveAgent], *, term: Term) -> None:
        super().__init__(name=f"reader-{unit.name}", daemon=True)
        self._shared = shared
        self._unit = unit
        self._database = unit.database
        self._agents = tuple(agents)
        self._term = term
        self._stop_asked = threading.Event()
        self._position: Position | None = None
        self._saved: Position | None = None
        self._saved_at = float("-inf")
        self._start = StartPoint()
        self._refused: StartPoint | None = None
        self._status = StreamStatus(state=StreamState.STARTING)
        self.failure: BaseException | None = None
        self.fenced = False

    def watch(self, agents: Sequence[ActiveAgent]) -> None:
        """Give the reader another set of agents; it takes them up after the batch in hand."""
        self._agents = tuple(agents)

    def status(self) -> StreamStatus:
        """Say what the stream is doing; safe from any thread."""
        return self._status

    def stop(self) -> None:
        """Ask the reader to end after the batch in hand."""
        self._stop_asked.set()

    def run(self) -> None:
        """Read until stopped. Whatever passes is waited out; anything else is kept in `failure` for the process."""
        wait = FIRST_WAIT
        try:
            while not self._stop_asked.is_set():
                started = self._shared.monotonic()
                try:
                    self._read(self._agents)
                    wait = FIRST_WAIT
                except (PyMongoError, DatabaseError) as error:
                    wait = FIRST_WAIT if self._shared.monotonic() - started > LONGEST_WAIT else wait
                    self._wait_out(error, wait)
                    wait = min(wait * 2, LONGEST_WAIT)
        except Fenced:
            self.fenced = True
            log.warning("reader.fenced", stream=self._unit.name, term=self._term.number)
        except BaseException as error:
            self.failure = error
            log.exception("reader.failed", database=self._database)
        finally:
            connection.close()

    def _wait_out(self, error: Exception, wait: float) -> None:
        log.warning(
            "reader.waiting",
            database=self._database,
            error=type(error).__name__,
            detail=str(error)[:200],
            seconds=wait,
        )
        drop_broken_connection()
        self._stop_asked.wait(wait)

    def _read(self, agents: Sequence[ActiveAgent]) -> None:
        """Open the stream and follow it until it ends, the agents change, or the reader is stopped."""
        shared = self._shared
        pipeline = build_pipeline(agents)
        fingerprint = fingerprint_of(pipeline)
        covers = coverage_of(agents)
        if self._position is None:
            self._position = self._saved = shared.positions.load(self._unit)
        stream = ChangeStream(shared.client, self._database, max_await_ms=shared.max_await_ms)
        matcher = Matcher(shared.client, agents, shared.unhealthy, monotonic=shared.monotonic)
        try:
            self._open(stream, pipeline, agents)
            log.info("stream.opened", database=self._database, agents=len(agents), pipeline=fingerprint)
            shared.watched([agent.agent_id for agent in agents])
            while stream.alive and not self._stop_asked.is_set() and self._agents == tuple(agents):
                batch = stream.next_batch()
                self._ingest(matcher, batch)
                self._position = Position(batch.token, batch.time, fingerprint, covers)
                self._save_if_due()
        except OperationFailure as error:
            if error.code in START_REFUSED and self._start != StartPoint():
                self._refused = self._start
            raise
        finally:
            stream.close()
            self._save()

    def _open(self, stream: ChangeStream, pipeline: list[Document], agents: Sequence[ActiveAgent]) -> None:
        """Open where no agent misses an event; what the server no longer has is put on record as lost."""
        fingerprint = fingerprint_of(pipeline)
        first = start_point(self._position, agents, fingerprint)
        starts = (first, *other_starts(first, self._position, fingerprint))
        self._start = next(start for start in starts if self._is_open(stream, pipeline, start))
        if self._start != first:
            self._report_gap(losers(self._position, agents, self._start))

    def _is_open(self, stream: ChangeStream, pipeline: list[Document], start: StartPoint) -> bool:
        if start == self._refused:
            return False
        try:
            stream.open(pipeline, start)
        except OperationFailure as error:
            # A token may be refused for many reasons, and its time is always as good a start.
            if start == StartPoint() or (error.code not in START_REFUSED and start.token is None):
                raise
            log.warning("stream.start_refused", database=self._database, start=str(start), code=error.code)
            return False
        return True

    def _report_gap(self, agents: Sequence[ActiveAgent]) -> None:
        for agent in agents:
            since = self._position.time.as_datetime() if self._position else agent.enabled_at
            log.error(
                "stream.history_lost", database=self._database, agent_id=agent.agent_id, since=str(since)
            )
            reason = (
                f"changes since {since} were lost: the oplog no longer holds them; touch the documents again"
            )
            self._shared.unhealthy(agent.agent_id, reason)

    def _ingest(self, matcher: Matcher, batch: Batch) -> None:
        """Put a batch on record, however long the ledger or MongoDB needs: the position may not pass it before."""
        wait = FIRST_WAIT
        while batch.events:
            try:
                self._shared.ingest.ingest(matcher, batch.events)
            except (PyMongoError, DatabaseError) as error:
                if self._stop_asked.is_set():
                    raise
                self._wait_out(error, wait)
                wait = min(wait * 2, LONGEST_WAIT)
            else:
                return

    def _save_if_due(self) -> None:
        if self._shared.monotonic() - self._saved_at >= self._shared.position_interval:
            self._save()

    def _save(self) -> None:
        """Store the position if it moved.

        Raises Fenced when a newer term has written it.
        """
        if self._position is None or self._position == self._saved:
            return
        if not self._shared.positions.save(
            self._unit, self._position, term=self._term.number, now=self._shared.now()
        ):
            raise Fenced(name=self._term.name, term=self._term.number)
        self._saved = self._position
        self._saved_at = self._shared.monotonic()
