"""Stored positions: fenced, never backwards, refused where they cannot be used, set anew by an operator."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from bson import Timestamp
from pymongo import MongoClient
from pymongo.database import Database

from agents_app.models import Agent
from executions_app.fence import Fenced, Term
from tests.conditions import eventually
from tests.integration.watcher.conftest import MakeAgent
from tests.integration.watcher.streams import Station, Watched, cluster_time, here
from watcher.reading.cluster import Cluster, look_at
from watcher.reading.position import (
    Mandate,
    Position,
    PositionAhead,
    PositionCorrupt,
    PositionForeign,
    PositionMoved,
    PositionRefused,
)
from watcher.reading.position_store import PositionStore
from watcher.reading.progress import Pace, Progress
from watcher.reading.status import StreamState
from watcher.unit import Unit

Document = dict[str, Any]
NOW = datetime(2026, 11, 20, tzinfo=UTC)
SHOP = Unit("shop")
CLUSTER = Cluster("ours", Timestamp(100, 1))


def at(second: int, **covers: str) -> Position:
    """A position whose token says the same time."""
    return Position(f"82{second:08X}00000001", Timestamp(second, 1), "p", covers)


def mandate(*, unit: Unit = SHOP, layout: int = 0, term: int = 1, generation: int = 0) -> Mandate:
    return Mandate(unit, layout, Term("stream:shop", term), CLUSTER, generation)


@pytest.fixture
def store(mongo_db: Database[Document]) -> PositionStore:
    """An empty store."""
    return PositionStore(mongo_db.positions)


def save(store: PositionStore, position: Position, under: Mandate) -> bool:
    return store.save(position, under, with_covers=True, now=NOW)


def test_what_was_stored_is_found(store: PositionStore) -> None:
    assert save(store, at(9, a="since"), mandate(term=2))

    assert store.load(SHOP, CLUSTER).position == at(9, a="since")
    assert store.load(Unit("other"), CLUSTER).position is None
    assert (store.highest_term(), store.times()) == (2, {"shop": Timestamp(9, 1)})


def test_a_leader_of_an_older_term_cannot_move_the_position(store: PositionStore) -> None:
    save(store, at(9), mandate(term=2))

    with pytest.raises(Fenced):
        save(store, at(10), mandate(term=1))
    assert store.times() == {"shop": Timestamp(9, 1)}


def test_a_position_never_goes_backwards(store: PositionStore) -> None:
    save(store, at(9), mandate())

    assert not save(store, at(8), mandate(term=2))
    assert store.times() == {"shop": Timestamp(9, 1)}


def test_a_late_write_cannot_bring_back_what_an_operator_has_replaced(store: PositionStore) -> None:
    save(store, at(9, a="since"), mandate())

    assert store.place("shop", time=Timestamp(3, 1), token=None, cluster=CLUSTER, now=NOW) == 1

    with pytest.raises(PositionMoved):
        save(store, at(10), mandate())
    placed = store.load(SHOP, CLUSTER)
    assert (placed.generation, placed.position) == (
        1,
        Position(None, Timestamp(3, 1), "", {"*": NOW.isoformat()}),
    )
    assert save(store, at(4), mandate(generation=1)), "and goes on from there"


def test_what_agents_a_position_covers_is_written_when_it_changes_and_kept_otherwise(
    store: PositionStore, mongo_db: Database[Document]
) -> None:
    save(store, at(5, a="since"), mandate())
    mongo_db.positions.update_one({}, {"$set": {"covers.mark": "untouched"}})

    assert store.save(at(6, a="since"), mandate(), with_covers=False, now=NOW)

    found = store.load(SHOP, CLUSTER).position
    assert found is not None
    assert found.covers == {"a": "since", "mark": "untouched"}


def test_a_database_that_is_divided_anew_goes_on_where_its_slowest_part_was(store: PositionStore) -> None:
    halves = [Unit("shop", part, 2) for part in range(2)]
    save(store, at(5, a="x", b="y"), mandate())
    assert [store.load(half, CLUSTER, layout=1).position for half in halves] == [
        Position(None, Timestamp(5, 1), "", {"a": "x", "b": "y"})
    ] * 2

    save(store, at(20, a="x", b="new"), mandate(unit=halves[0], layout=1))
    only_one = store.load(SHOP, CLUSTER, layout=2).position
    assert only_one == Position(None, Timestamp(5, 1), "", {"a": "x"}), "the other half never began"

    save(store, at(12, a="x"), mandate(unit=halves[1], layout=1))
    assert store.load(SHOP, CLUSTER, layout=2).position == Position(None, Timestamp(12, 1), "", {"a": "x"})
    assert save(store, at(13), mandate(layout=2))
    with pytest.raises(Fenced):
        save(store, at(99), mandate(layout=0))


DAMAGE: dict[str, Document] = {
    "no time": {"$unset": {"cluster_time": ""}},
    "a time that is a text": {"$set": {"cluster_time": "yesterday"}},
    "no token": {"$unset": {"token": ""}},
    "a token that is none": {"$set": {"token": {"_data": "garbage"}}},
    "a token of another time": {"$set": {"token": {"_data": "82000000630000000104"}}},
    "a token without data": {"$set": {"token": {}}},
    "a generation that is a text": {"$set": {"generation": "1"}},
    "a term that is a text": {"$set": {"term": "1"}},
    "no layout": {"$unset": {"layout": ""}},
    "covers that are a list": {"$set": {"covers": []}},
    "covers that are numbers": {"$set": {"covers": {"a": 1}}},
    "a hold until no time": {"$set": {"covers": {"a": "2026-01-01T00:00:00+00:00 digest @tomorrow"}}},
    "an operator's moment that is none": {"$set": {"covers": {"*": "noon"}}},
    "no pipeline": {"$unset": {"pipeline": ""}},
    "no cluster": {"$unset": {"cluster": ""}},
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_position_is_refused_with_a_remedy_and_can_be_set_anew(
    store: PositionStore, mongo_db: Database[Document], damage: str
) -> None:
    save(store, at(9), mandate())
    mongo_db.positions.update_one({}, DAMAGE[damage])

    with pytest.raises(PositionCorrupt, match="mongoclaw streams set-position shop --now"):
        store.load(SHOP, CLUSTER)
    assert store.times() == {}
    assert not store.listed()["shop"].readable

    assert store.place("shop", time=Timestamp(9, 1), token=None, cluster=CLUSTER, now=NOW) == 1
    assert store.load(SHOP, CLUSTER).position is not None


def test_a_position_of_another_cluster_or_of_the_future_is_refused(store: PositionStore) -> None:
    save(store, at(90), mandate())

    with pytest.raises(PositionForeign, match="another cluster"):
        store.load(SHOP, Cluster("theirs", Timestamp(100, 1)))
    with pytest.raises(PositionAhead, match="ahead of the cluster"):
        store.load(SHOP, Cluster("ours", Timestamp(80, 1)))
    assert store.load(SHOP, Cluster(None, Timestamp(88, 1))).position, "who may not ask who it is takes it"


def test_a_position_can_be_set_where_there_is_none_and_in_each_part(store: PositionStore) -> None:
    assert (
        store.place("shop", time=Timestamp(7, 1), token="8200000007000000012B", cluster=CLUSTER, now=NOW) == 1
    )
    found = store.load(SHOP, CLUSTER)
    assert found.position is not None
    assert (found.position.token, found.generation) == ("8200000007000000012B", 1)

    save(store, at(9), mandate(unit=Unit("pets", 0, 2), layout=1))
    save(store, at(9), mandate(unit=Unit("pets", 1, 2), layout=1))
    save(store, at(9), mandate(unit=Unit("petshop")))
    assert store.place("pets", time=Timestamp(2, 1), token=None, cluster=CLUSTER, now=NOW) == 2
    assert store.times()["petshop"] == Timestamp(9, 1)


class Clock:
    """Moves when told to."""

    def __init__(self) -> None:
        self.seconds = 0.0


def test_a_position_is_stored_once_a_second_under_load_and_each_ten_seconds_when_idle(
    store: PositionStore, mongo_db: Database[Document]
) -> None:
    clock = Clock()
    progress = Progress(store, mandate(), None, Pace(1.0, 10.0, lambda: NOW, lambda: clock.seconds))

    def writes(seconds: int, *, with_events: bool) -> int:
        seen = set()
        for _ in range(seconds * 10):
            clock.seconds += 0.1
            progress.advance(at(1000 + int(clock.seconds * 10)), with_events=with_events)
            seen.add(mongo_db.positions.find_one({}, {"cluster_time": 1})["cluster_time"])  # type: ignore[index]
        return len(seen)

    assert writes(5, with_events=True) in {5, 6}
    assert writes(30, with_events=False) in {3, 4, 5}


def test_an_agent_whose_start_replays_leaves_the_position_where_it_is_until_it_is_passed(
    store: PositionStore,
) -> None:
    save(store, at(50), mandate())
    progress = Progress(store, mandate(term=2), at(50), Pace(0.0, 0.0, lambda: NOW, lambda: 0.0))

    for second in (20, 30, 50):
        progress.advance(at(second, newcomer="x"), with_events=True)
        found = store.load(SHOP, CLUSTER).position
        assert found == (at(50, newcomer="x") if second == 50 else at(50))


def test_an_operators_position_takes_over_a_stream_that_runs(
    mongo: MongoClient[Document], mongo_db: Database[Document], make_agent: MakeAgent
) -> None:
    watched, agent = Watched(mongo, mongo_db), make_agent()
    assert watched.store(here(mongo, agent))
    start = cluster_time(mongo)
    with watched.reading(agent):
        mongo_db.tickets.insert_one({"_id": "again"})
        eventually(watched.caught("again"))

        seen = look_at(mongo)
        watched.positions.place(mongo_db.name, time=start, token=None, cluster=seen, now=datetime.now(UTC))

        eventually(lambda: watched.catch.keys.count("again") == 2)


@pytest.fixture
def stations(mongo: MongoClient[Document]) -> Iterator[tuple[Station, Station]]:
    """Two databases."""
    names = [f"t_{uuid.uuid4().hex[:12]}" for _ in range(2)]
    yield (Station(mongo, names[0]), Station(mongo, names[1]))
    for name in names:
        mongo.drop_database(name)
        mongo.drop_database(f"{name}_home")


def health(agent_id: str) -> tuple[str, str]:
    agent = Agent.objects.get(pk=agent_id)
    return agent.health, agent.health_reason


@pytest.mark.sql
@pytest.mark.django_db(transaction=True)
def test_a_refused_position_stops_its_own_database_alone_and_says_why_until_it_is_set(
    stations: tuple[Station, Station],
) -> None:
    bad, good = stations
    bad.agent("stopped")
    good.agent("running")
    with bad.reading(), good.reading():
        eventually(lambda: health("stopped")[0] == "healthy")
        eventually(lambda: bad.position() is not None and good.position() is not None)
    bad.home.positions.update_one({}, {"$set": {"cluster": "another"}})
    bad.db.tickets.insert_one({"_id": "waiting"})

    with bad.reading() as reader, good.reading():
        eventually(lambda: reader.status().state is StreamState.REFUSED)
        good.db.tickets.insert_one({"_id": "served"})
        good.wait_for("running", "served")
        eventually(lambda: "set-position" in health("stopped")[1])
        assert health("stopped")[0] == "unhealthy"
        assert "belongs to another cluster" in reader.status().detail

        time = look_at(bad.client).time
        start = Timestamp(time.time - 5, 1)
        bad.positions.place(
            bad.db.name, time=start, token=None, cluster=look_at(bad.client), now=datetime.now(UTC)
        )
        bad.wait_for("stopped", "waiting")
        eventually(lambda: health("stopped") == ("healthy", ""))


def test_every_refusal_is_an_error_class_of_its_own() -> None:
    kinds = {kind.code for kind in PositionRefused.__subclasses__()}

    assert kinds == {"position_corrupt", "position_foreign", "position_ahead"}
