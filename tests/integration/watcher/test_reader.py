"""Where a reader goes on when the oplog no longer holds what somebody needs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from bson import Timestamp
from pymongo import MongoClient
from pymongo.database import Database
from pymongo.errors import OperationFailure

from agents_app import registry
from agents_app.registry import ActiveAgent
from executions_app.fence import Term
from tests.conditions import eventually
from tests.integration.watcher.conftest import MakeAgent
from watcher.event import ChangeEvent
from watcher.lease import Lease
from watcher.matching import Matcher
from watcher.pipeline import build_pipeline, fingerprint_of
from watcher.position import Position, PositionStore
from watcher.process import StreamKeeper
from watcher.reader import Reader, Reading
from watcher.starting import coverage_of
from watcher.stream import ChangeStream, StartPoint
from watcher.unit import Unit

Document = dict[str, Any]


class ShortMemory(ChangeStream):
    """A stream of a server whose oplog begins now; the test server's own is too long to run over."""

    begins: Timestamp

    def open(self, pipeline: list[Document], start: StartPoint) -> None:
        if start.time is not None and start.time < self.begins:
            raise OperationFailure("the resume point may no longer be in the oplog", 286)
        super().open(pipeline, start)


@pytest.fixture
def short_memory(mongo: MongoClient[Document], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the oplog begin here."""
    ShortMemory.begins = mongo.admin.command("ping")["$clusterTime"]["clusterTime"]
    monkeypatch.setattr("watcher.reader.ChangeStream", ShortMemory)


class Catch:
    """Stands where the ledger would and keeps the keys of the events."""

    def __init__(self) -> None:
        self.keys: list[object] = []

    def ingest(self, _matcher: Matcher, events: Sequence[ChangeEvent]) -> int:
        self.keys += [event.key for event in events]
        return len(events)


class Watched:
    """A reader's surroundings."""

    def __init__(self, mongo: MongoClient[Document], db: Database[Document]) -> None:
        self.catch = Catch()
        self.watched: set[str] = set()
        self.unhealthy: dict[str, str] = {}
        self.positions = PositionStore(db.positions)
        self._database = db.name
        self.surroundings = Reading(
            client=mongo,
            positions=self.positions,
            ingest=self.catch,  # type: ignore[arg-type]
            unhealthy=self.unhealthy.__setitem__,
            watched=self.watched.update,
            max_await_ms=100,
            position_interval=0.1,
            now=lambda: datetime.now(UTC),
            monotonic=time.monotonic,
        )

    @contextmanager
    def reading(self, *agents: ActiveAgent) -> Iterator[Reader]:
        """Run a reader for these agents."""
        reader = Reader(self.surroundings, Unit(self._database), agents, term=Term("stream", 1))
        reader.start()
        try:
            yield reader
        finally:
            reader.stop()
            reader.join(10)
        assert reader.failure is None


def keeper_of(watched: Watched, db: Database[Document]) -> StreamKeeper:
    """A keeper that holds a lease of its own, which is quickly free again."""
    lease = Lease(db.leases, "stream", "keeper", duration=timedelta(seconds=5))
    return StreamKeeper(lease, watched.surroundings, {})


def reach_here(mongo: MongoClient[Document], watched: Watched, *agents: ActiveAgent) -> Position:
    """Store a position that is good and covers these agents."""
    database = agents[0].spec.watch.database
    stream = ChangeStream(mongo, database, max_await_ms=100)
    pipeline = build_pipeline(agents)
    stream.open(pipeline, StartPoint())
    batch = stream.next_batch()
    stream.close()
    position = Position(batch.token, batch.time, fingerprint_of(pipeline), coverage_of(agents))
    assert watched.positions.save(Unit(database), position, term=1, now=datetime.now(UTC))
    return position


def caught(watched: Watched, key: object) -> Callable[[], bool]:
    return lambda: key in watched.catch.keys


def test_an_agent_whose_beginning_is_gone_from_the_oplog_costs_the_others_nothing(
    short_memory: None, mongo: MongoClient[Document], mongo_db: Database[Document], make_agent: MakeAgent
) -> None:
    watched = Watched(mongo, mongo_db)
    mongo_db.tickets.insert_one({"_id": "before"})
    old, newcomer = make_agent("old"), make_agent("newcomer")
    reach_here(mongo, watched, old)
    mongo_db.tickets.insert_one({"_id": "while nobody watched"})

    with watched.reading(old, newcomer):
        eventually(caught(watched, "while nobody watched"))

    assert "before" not in watched.catch.keys
    assert watched.unhealthy.keys() == {"newcomer"}
    assert "were lost" in watched.unhealthy["newcomer"]


def test_a_token_that_is_no_good_falls_back_to_its_time(
    mongo: MongoClient[Document], mongo_db: Database[Document], make_agent: MakeAgent
) -> None:
    watched = Watched(mongo, mongo_db)
    agent = make_agent()
    position = reach_here(mongo, watched, agent)
    damaged = replace(position, token="82FF")
    assert watched.positions.save(Unit(mongo_db.name), damaged, term=1, now=datetime.now(UTC))
    mongo_db.tickets.insert_one({"_id": "while nobody watched"})

    with watched.reading(agent):
        eventually(caught(watched, "while nobody watched"))

    assert watched.unhealthy == {}


def test_history_that_nobody_has_is_reported_for_every_agent_and_the_stream_goes_on(
    short_memory: None, mongo: MongoClient[Document], mongo_db: Database[Document], make_agent: MakeAgent
) -> None:
    watched = Watched(mongo, mongo_db)

    with watched.reading(make_agent("a"), make_agent("b")):
        eventually(lambda: watched.positions.load(Unit(mongo_db.name)) is not None)
        mongo_db.tickets.insert_one({"_id": "now"})
        eventually(caught(watched, "now"))

    assert watched.unhealthy.keys() == {"a", "b"}


def test_leases_that_are_lost_stop_no_stream(
    mongo: MongoClient[Document],
    mongo_db: Database[Document],
    make_agent: MakeAgent,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    watched, agent = Watched(mongo, mongo_db), make_agent()
    position = reach_here(mongo, watched, agent)
    assert watched.positions.save(Unit(mongo_db.name), position, term=41, now=datetime.now(UTC))
    monkeypatch.setattr(registry, "active_agents", lambda: (agent,))
    keeper = keeper_of(watched, mongo_db)

    def is_ahead() -> bool:
        keeper.step()
        now = watched.positions.load(Unit(mongo_db.name))
        return now is not None and now.time > position.time

    try:
        eventually(is_ahead)
        mongo_db.tickets.insert_one({"_id": "after the loss"})
        eventually(caught(watched, "after the loss"))
    finally:
        keeper.stop()
    assert keeper.term == 42
