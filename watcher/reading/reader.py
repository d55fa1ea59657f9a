"""The loop of one unit's stream: read a batch → put it on record → publish → move the position → repeat."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import structlog
from bson import Timestamp
from django.db import Error as DatabaseError
from django.db import connection
from pymongo import MongoClient
from pymongo.errors import PyMongoError

from agents_app.registry import ActiveAgent
from executions_app import gaps
from executions_app.database import drop_broken_connection
from executions_app.fence import Fenced, Term
from executions_app.gaps import NewGap
from watcher.matching.matcher import Matcher, Unhealthy
from watcher.observing.metrics import COLLECTION_EVENTS, REOPENS
from watcher.reading import losses, recovery
from watcher.reading.cluster import look_at
from watcher.reading.collection import announce
from watcher.reading.condition import Condition
from watcher.reading.detail import FULL, Detail
from watcher.reading.lineup import Lineup
from watcher.reading.opening import open_stream
from watcher.reading.position import Mandate, Position, PositionMoved, PositionRefused
from watcher.reading.position_store import PositionStore
from watcher.reading.progress import Pace, Progress
from watcher.reading.recovery import FIRST_PAUSE, HOPELESS, ORIGIN, PATIENCE, Action, Phase, Troubles
from watcher.reading.starting import losers, start_point
from watcher.reading.status import StreamState, StreamStatus
from watcher.reading.stream import Batch, ChangeStream
from watcher.recording.ingest import Ingest
from watcher.unit import Unit

log = structlog.get_logger(__name__)

HELD_SECONDS: Final = 2.0
"""How old the knowledge may be which agents a gap holds."""

REST_SECONDS: Final = 2.0
"""How often a reader that has nothing to do looks whether that has changed."""

Document = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What every reader of a process shares. Intervals are in seconds."""

    client: MongoClient[Document]
    positions: PositionStore
    ingest: Ingest
    unhealthy: Unhealthy
    watched: Callable[[Iterable[str]], object]
    max_await_ms: int
    position_interval: float
    now: Callable[[], datetime]
    monotonic: Callable[[], float]
    position_idle: float = 10.0
    held: Callable[[], Mapping[str, str]] = gaps.held_since
    record: Callable[[Sequence[NewGap], Term, datetime], None] = losses.record
    jitter: Callable[[], float] = field(default=random.random)


class Reader(threading.Thread):
    """Reads one unit for a changing set of agents until it is stopped or fenced off."""

    def __init__(
        self, shared: Reading, unit: Unit, agents: Sequence[ActiveAgent], *, term: Term, layout: int = 0
    ) -> None:
        super().__init__(name=f"reader-{unit.name}", daemon=True)
        self._shared = shared
        self._unit = unit
        self._term = term
        self._layout = layout
        self._agents = tuple(agents)
        self._held: Mapping[str, str] = {}
        self._held_at = float("-inf")
        self._stop_asked = threading.Event()
        self._progress: Progress | None = None
        self._phase = Phase.OPENING
        self._asking = FULL
        self._troubles = Troubles()
        self._mark = ORIGIN
        self._log = log.bind(stream=unit.name, term=term.number)
        self._condition = Condition(shared.unhealthy, self._log)
        self.failure: BaseException | None = None
        self.fenced = False

    def watch(self, agents: Sequence[ActiveAgent]) -> None:
        """Give the reader another set of agents; it takes them up after the batch in hand."""
        self._agents = tuple(agents)

    def status(self) -> StreamStatus:
        """Say what the stream is doing; safe from any thread."""
        return self._condition.status

    def contact(self) -> tuple[float | None, float | None]:
        """Say when the server was asked last and when it answered; None if not yet. On the monotonic clock."""
        return self._condition.asked_at, self._condition.answered_at

    def stop(self) -> None:
        """Ask the reader to end after the batch in hand; returns at once."""
        self._stop_asked.set()

    def run(self) -> None:
        """Read until stopped. Whatever passes is waited out; anything else is kept in `failure` for the process."""
        try:
            while not self._stop_asked.is_set():
                self._attempt()
        except Fenced:
            self.fenced = True
            self._log.warning("reader.fenced")
        except BaseException as error:
            self.failure = error
            log.exception("reader.failed", stream=self._unit.name)
        finally:
            connection.close()

    def _attempt(self) -> None:
        """Read until the stream ends or has to be opened anew, and deal with what ended it."""
        try:
            self._read()
        except PositionRefused as refused:
            self._condition.is_worse(StreamState.REFUSED, str(refused), self._agents)
            self._stop_asked.wait(REST_SECONDS)
        except PositionMoved:
            self._log.info("stream.position_moved")
            self._progress = None
        except (PyMongoError, DatabaseError) as error:
            self._recover(error)

    def _read(self) -> None:
        self._phase = Phase.OPENING
        if self._progress is None:
            self._progress = self._load()
        lineup = self._lineup()
        if not lineup.reading:
            self._condition.waits("every agent is held by a gap: see `mongoclaw streams gaps`")
            self._stop_asked.wait(REST_SECONDS)
            return
        stream = ChangeStream(
            self._shared.client, self._unit.database, max_await_ms=self._shared.max_await_ms
        )
        try:
            self._open(stream, self._progress, lineup)
            self._phase = Phase.READING
            self._follow(stream, self._progress, lineup)
            self._progress.save()
            if not stream.alive:
                # The database was dropped: the stream goes on behind that. Never without a pause.
                self._log.warning("stream.ended")
                self._stop_asked.wait(FIRST_PAUSE)
        finally:
            stream.close()

    def _load(self) -> Progress:
        """Find out where to begin.

        Raises PositionRefused.
        """
        shared = self._shared
        seen = look_at(shared.client)
        stored = shared.positions.load(self._unit, seen, layout=self._layout)
        place = (self._unit, self._layout, self._term, seen, stored.generation)
        pace = Pace(shared.position_interval, shared.position_idle, shared.now, shared.monotonic)
        return Progress(shared.positions, Mandate(*place), stored.position, pace)

    def _lineup(self) -> Lineup:
        """Return who is to be read for, with the holds of at most two seconds ago."""
        if self._shared.monotonic() - self._held_at >= HELD_SECONDS:
            self._held = self._shared.held()
            self._held_at = self._shared.monotonic()
        return Lineup(self._agents, self._held)

    def _open(self, stream: ChangeStream, progress: Progress, lineup: Lineup) -> None:
        """Open where no agent misses an event, or else as early as the server can; losses go on record first."""
        wanted = start_point(progress.position, lineup.reading, lineup.fingerprint(self._unit))
        with self._condition.asking(self._shared.monotonic):
            start, code = open_stream(
                stream,
                self._asking.pipeline(lineup.reading, self._unit),
                wanted,
                self._asking,
                client=self._shared.client,
                position=progress.position,
                is_certain=self._troubles.fruitless >= PATIENCE,
            )
        self._log.info("stream.opened", agents=len(lineup.reading), start=str(start), wanted=str(wanted))
        if code is not None and start.time is not None:
            self._begin_later(progress, lineup, start.time, code)

    def _begin_later(self, progress: Progress, lineup: Lineup, start: Timestamp, code: int) -> None:
        """Put on record who has lost what, and only then the position from which nothing more is lost."""
        # A gap begins at the stored position, so that it is the same gap after a crash between here and the end.
        progress.save()
        lost = losers(progress.position, lineup.reading, start)
        self._lose(losses.history_lost(lost, until=start, code=code))
        covers = lineup.coverage(progress.position, self._held)
        progress.advance(Position(None, start, "", covers), with_events=True)
        progress.save()

    def _lose(self, found: Sequence[NewGap]) -> None:
        if found:
            self._shared.record(found, self._term, self._shared.now())
            self._held_at = float("-inf")
            self._lineup()

    def _follow(self, stream: ChangeStream, progress: Progress, lineup: Lineup) -> None:
        """Read batches until the stream ends, who is read for or what is asked for changes, or it is to stop."""
        shared, asking = self._shared, self._asking
        fingerprint, covers = lineup.fingerprint(self._unit), lineup.coverage(progress.position)
        matcher = Matcher(shared.client, lineup.reading, shared.unhealthy, monotonic=shared.monotonic)
        is_announced = False
        while stream.alive and not self._stop_asked.is_set():
            if self._lineup() != lineup or self._asking.detail is not asking.detail:
                return
            with self._condition.asking(shared.monotonic):
                batch = stream.next_batch()
            self._take(batch, matcher, lineup)
            self._asking = self._asking.after(len(batch.events))
            position = Position(batch.token, batch.time, fingerprint, covers)
            progress.advance(position, with_events=bool(batch.events or batch.collection_events))
            self._note(batch, progress)
            if not is_announced and not self._condition.is_broken:
                announce(shared.client[self._unit.database], lineup.reading, shared.watched, shared.unhealthy)
                is_announced = True

    def _note(self, batch: Batch, progress: Progress) -> None:
        best, now = self._troubles.best, self._shared.monotonic()
        # The first reply to an opening always moves the position a little, even on a stream that is broken.
        if batch.events or not batch.is_first:
            self._mark = progress.reached
        self._condition.is_read(batch, moved=best is None or self._mark > best, monotonic=now)

    def _take(self, batch: Batch, matcher: Matcher, lineup: Lineup) -> None:
        """Put a batch on record: its events, and what it tells of losses."""
        found = losses.renamed_into(batch.collection_events, lineup.reading)
        if self._asking.detail is Detail.BARE:
            found += losses.too_large(batch.events, lineup.reading)
        else:
            self._ingest(matcher, batch)
        for event in batch.collection_events:
            COLLECTION_EVENTS.labels(self._unit.name, event.operation).inc()
            self._log.warning(
                "stream.collection_event", operation=event.operation, collection=event.collection
            )
        self._lose(found)

    def _ingest(self, matcher: Matcher, batch: Batch) -> None:
        """Put events on record, however long the ledger or MongoDB needs: the position may not pass them before."""
        troubles = Troubles()
        while batch.events:
            try:
                self._shared.ingest.ingest(matcher, batch.events, term=self._term)
            except (PyMongoError, DatabaseError) as error:
                if self._stop_asked.is_set():
                    raise
                troubles = troubles.and_one_more(ORIGIN, monotonic=self._shared.monotonic())
                self._wait_out(error, troubles.pause(Action.AGAIN, jitter=self._shared.jitter()))
            else:
                return

    def _recover(self, error: Exception) -> None:
        """Do what the ladder says about an error, and wait as long as it says."""
        shared = self._shared
        self._troubles = self._troubles.and_one_more(self._mark, monotonic=shared.monotonic())
        code = recovery.code_of(error)
        action = recovery.action_for(
            code, self._phase, fruitless=self._troubles.fruitless, resumable=recovery.is_resumable(error)
        )
        REOPENS.labels(self._unit.name, type(error).__name__ if code is None else str(code)).inc()
        if action is Action.AT_TIME and self._progress is not None:
            self._progress.drop_token()
        if action is Action.NARROW:
            self._asking = self._asking.narrower()
        if action is Action.BREAK:
            detail = HOPELESS.get(code or 0) or f"{_text(error)}; it has not moved on since {self._mark[0]}"
            self._condition.is_worse(StreamState.BROKEN, detail, self._agents)
        self._wait_out(error, self._troubles.pause(action, jitter=shared.jitter()), action)

    def _wait_out(self, error: Exception, seconds: float, action: Action = Action.AGAIN) -> None:
        self._log.warning("reader.waiting", error=_text(error), action=action.value, seconds=seconds)
        self._condition.waits(_text(error))
        drop_broken_connection()
        self._stop_asked.wait(seconds)


def _text(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error)[:200]}"
