"""A reader and what surrounds it, with or without a ledger behind it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from bson import Timestamp
from pymongo import MongoClient
from pymongo.database import Database

from agents_app.registry import ActiveAgent
from executions_app.fence import Term
from executions_app.gaps import NewGap
from watcher.cluster import look_at
from watcher.event import ChangeEvent
from watcher.lineup import Lineup
from watcher.matching import Matcher
from watcher.pipeline import build_pipeline
from watcher.position import Mandate, Position
from watcher.position_store import PositionStore
from watcher.reader import Reader, Reading
from watcher.stream import ChangeStream, StartPoint
from watcher.unit import Unit

Document = dict[str, Any]
TERM = Term("stream", 1)


class Catch:
    """Stands where the ledger would and keeps the keys of the events."""

    def __init__(self) -> None:
        self.keys: list[object] = []

    def ingest(self, _matcher: Matcher, events: Sequence[ChangeEvent], *, term: Term) -> int:
        assert term.number
        self.keys += [event.key for event in events]
        return len(events)


class Watched:
    """A reader's surroundings."""

    def __init__(
        self, mongo: MongoClient[Document], db: Database[Document], *, home: Database[Document] | None = None
    ) -> None:
        self.catch = Catch()
        self.watched: set[str] = set()
        self.unhealthy: dict[str, str] = {}
        self.lost: dict[str, NewGap] = {}
        self.held: Mapping[str, str] = {}
        self.positions = PositionStore((db if home is None else home).positions)
        self.unit = Unit(db.name)
        self.surroundings = Reading(
            client=mongo,
            positions=self.positions,
            ingest=self.catch,  # type: ignore[arg-type]
            unhealthy=self.unhealthy.__setitem__,
            watched=self.watched.update,
            max_await_ms=100,
            position_interval=0.1,
            position_idle=0.1,
            now=lambda: datetime.now(UTC),
            monotonic=time.monotonic,
            held=lambda: self.held,
            record=self._record,
        )

    def _record(self, found: Sequence[NewGap], _term: Term, _now: datetime) -> None:
        self.lost |= {gap.agent_id: gap for gap in found}

    @contextmanager
    def reading(self, *agents: ActiveAgent, term: Term = TERM, layout: int = 0) -> Iterator[Reader]:
        """Run a reader for these agents."""
        reader = Reader(self.surroundings, self.unit, agents, term=term, layout=layout)
        reader.start()
        try:
            yield reader
        finally:
            reader.stop()
            reader.join(10)
        assert reader.failure is None

    def position(self) -> Position | None:
        """The stored position of the whole database."""
        return self.positions.load(self.unit, look_at(self.surroundings.client)).position

    def store(
        self, position: Position, *, term: Term = TERM, unit: Unit | None = None, layout: int = 0
    ) -> bool:
        """Store a position as a reader would."""
        unit = unit or self.unit
        seen = look_at(self.surroundings.client)
        generation = self.positions.load(unit, seen, layout=layout).generation
        mandate = Mandate(unit, layout, term, seen, generation)
        return self.positions.save(position, mandate, with_covers=True, now=datetime.now(UTC))

    def caught(self, key: object) -> Callable[[], bool]:
        """A probe for one event."""
        return lambda: key in self.catch.keys


def here(mongo: MongoClient[Document], *agents: ActiveAgent) -> Position:
    """Make a position of this moment that is good and covers these agents."""
    unit = Unit(agents[0].spec.watch.database)
    stream = ChangeStream(mongo, unit.database, max_await_ms=100)
    stream.open(build_pipeline(agents, unit=unit), StartPoint())
    batch = stream.next_batch()
    stream.close()
    lineup = Lineup(agents, {})
    return Position(batch.token, batch.time, lineup.fingerprint(unit), lineup.coverage())


def cluster_time(mongo: MongoClient[Document]) -> Timestamp:
    """The time of the cluster's latest operation."""
    time_now: Timestamp = mongo.admin.command("ping")["operationTime"]
    return time_now
