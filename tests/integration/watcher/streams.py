"""A reader and what surrounds it, with or without a ledger behind it."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from bson import Timestamp
from pymongo import MongoClient
from pymongo.database import Database

from agents_app import registry
from agents_app.publish import mark_health, mark_watched, publish
from agents_app.registry import ActiveAgent
from agents_app.spec import parse_spec
from executions_app.fence import Term, begin
from executions_app.gaps import NewGap
from executions_app.models import Execution
from tests.conditions import eventually
from watcher.matching.matcher import Matcher
from watcher.reading.cluster import look_at
from watcher.reading.event import ChangeEvent
from watcher.reading.lineup import Lineup
from watcher.reading.pipeline import build_pipeline
from watcher.reading.position import Mandate, Position
from watcher.reading.position_store import PositionStore
from watcher.reading.reader import Reader, Reading
from watcher.reading.stream import ChangeStream, StartPoint
from watcher.recording.ingest import Ingest
from watcher.recording.pressure import Pressure, PressurePolicy
from watcher.sending.windows import Windows
from watcher.unit import Unit

Document = dict[str, Any]
TERM = Term("stream", 1)
READER = "mongoclaw-reader"
"""The name under which failures are asked for, so that they hit nobody else."""


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
    return Position(batch.token, batch.time, lineup.fingerprint(unit), lineup.coverage(None))


def cluster_time(mongo: MongoClient[Document]) -> Timestamp:
    """The time of the cluster's latest operation."""
    time_now: Timestamp = mongo.admin.command("ping")["operationTime"]
    return time_now


class Outbox:
    """Takes the place of the broker's connection, which has tests of its own."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    def publish(self, ids: Sequence[str], *, ahead: Collection[str] = ()) -> None:
        self.sent += ids

    def queue_of(self, spec: object) -> str:
        return "mongoclaw"


class Station:
    """A reader with a ledger behind it, on a server that can be made to fail."""

    def __init__(self, client: MongoClient[Document], database: str) -> None:
        self.client = client
        self.db = client[database]
        self.home = client[f"{database}_home"]
        self.unit = Unit(database)
        self.positions = PositionStore(self.home.positions)
        self._terms = 0
        ingest = Ingest(
            Outbox(),  # type: ignore[arg-type]
            windows=Windows(1000, 1000.0),
            pressure=Pressure(PressurePolicy(), time.monotonic),
            unhealthy=self._unhealthy,
            now=_now,
            monotonic=time.monotonic,
        )
        self.reading_with = Reading(
            client=client,
            positions=self.positions,
            ingest=ingest,
            unhealthy=self._unhealthy,
            watched=mark_watched,
            max_await_ms=100,
            position_interval=0.1,
            position_idle=0.1,
            now=_now,
            monotonic=time.monotonic,
        )

    def _unhealthy(self, agent_id: str, reason: str) -> None:
        mark_health(agent_id, "unhealthy", reason)

    def agent(
        self, agent_id: str, *, collection: str = "tickets", now: datetime | None = None, **watch: Any
    ) -> None:
        """Publish an agent."""
        spec = {
            "id": agent_id,
            "name": agent_id,
            "watch": {"database": self.db.name, "collection": collection, **watch},
            "ai": {"provider": "sandbox", "model": "m", "prompt": "{{ document.text }}"},
            "write": {"target_field": agent_id},
        }
        publish(parse_spec(spec), by="tests", now=now or _now())
        registry.forget()

    def agents(self) -> list[ActiveAgent]:
        """The agents of this database that are at work."""
        return [agent for agent in registry.active_agents() if agent.spec.watch.database == self.db.name]

    @contextmanager
    def reading(self, **changes: Any) -> Iterator[Reader]:
        """Run a reader for this database's agents that are published, as a new leader would."""
        self._terms += 1
        term = Term(f"stream:{self.unit.name}", self._terms)
        begin(term)
        reader = Reader(replace(self.reading_with, **changes), self.unit, self.agents(), term=term)
        reader.start()
        try:
            yield reader
        finally:
            reader.stop()
            reader.join(15)
        assert reader.failure is None
        assert not reader.is_alive()

    def documents_of(self, agent_id: str) -> list[str]:
        """The documents that are on record for an agent, one word for each row."""
        rows = Execution.objects.filter(agent_id=agent_id).order_by("sequence")
        return list(rows.values_list("document_id", flat=True))

    def wait_for(self, agent_id: str, *keys: str) -> None:
        """Wait until all these documents are on record."""
        eventually(lambda: set(keys) <= set(self.documents_of(agent_id)))

    def position(self) -> Position | None:
        """The stored position."""
        return self.positions.load(self.unit, look_at(self.client)).position

    def fail(self, command: str, *, times: int | None = 1, **data: Any) -> None:
        """Let the server fail this client's commands, for good with `times` None."""
        mode = "alwaysOn" if times is None else {"times": times}
        self._fail_command(mode, {"failCommands": [command], "appName": READER, **data})

    def recover(self) -> None:
        """Let the server fail no more."""
        self._fail_command("off", {})

    def _fail_command(self, mode: object, data: Document) -> None:
        self.client.admin.command({"configureFailPoint": "failCommand", "mode": mode, "data": data})

    def opens(self) -> int:
        """How many cursors the server has opened."""
        return int(self.client.admin.command("serverStatus")["metrics"]["commands"]["aggregate"]["total"])


def _now() -> datetime:
    return datetime.now(UTC)
