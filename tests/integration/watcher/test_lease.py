"""One leader at a time, and a term that fences the one before."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

from bson import Timestamp
from pymongo.database import Database

from tests.conditions import eventually
from watcher.lease import Lease
from watcher.position import Position, PositionStore
from watcher.unit import Unit

Document = dict[str, Any]
LONG = timedelta(minutes=1)
NOW = datetime(2026, 11, 20, tzinfo=UTC)


def test_the_second_comer_waits_and_the_holder_renews(mongo_db: Database[Document]) -> None:
    first = Lease(mongo_db.leases, "stream", "a", duration=LONG)
    second = Lease(mongo_db.leases, "stream", "b", duration=LONG)

    assert [first.acquire(), second.acquire(), first.acquire()] == [1, None, 1]


def test_a_released_lease_is_free_at_once_and_its_term_grows(mongo_db: Database[Document]) -> None:
    first = Lease(mongo_db.leases, "stream", "a", duration=LONG)
    second = Lease(mongo_db.leases, "stream", "b", duration=LONG)
    first.acquire()
    first.release()

    assert second.acquire() == 2


def test_the_lease_of_a_holder_that_is_gone_runs_out(mongo_db: Database[Document]) -> None:
    Lease(mongo_db.leases, "stream", "a", duration=timedelta(milliseconds=50)).acquire()
    second = Lease(mongo_db.leases, "stream", "b", duration=LONG)

    assert eventually(second.acquire) == 2


def test_of_many_racing_for_a_new_lease_one_gets_it(mongo_db: Database[Document]) -> None:
    terms: list[int | None] = []
    barrier = threading.Barrier(8)

    def race(name: str) -> None:
        barrier.wait()
        terms.append(Lease(mongo_db.leases, "stream", name, duration=LONG).acquire())

    threads = [threading.Thread(target=race, args=(str(n),)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(term for term in terms if term is not None) == [1]


def test_a_lease_rises_above_any_term_but_only_for_its_holder(mongo_db: Database[Document]) -> None:
    first = Lease(mongo_db.leases, "stream", "a", duration=LONG)
    second = Lease(mongo_db.leases, "stream", "b", duration=LONG)
    first.acquire()

    assert [first.rise_above(7), first.rise_above(3), second.rise_above(20), first.acquire()] == [
        8,
        9,
        None,
        9,
    ]


def test_a_leader_of_an_older_term_cannot_move_the_position(mongo_db: Database[Document]) -> None:
    store = PositionStore(mongo_db.positions)
    new = Position("8200", Timestamp(9, 1), "p", {"a": "since"})
    old = Position("8100", Timestamp(5, 1), "p", {})

    assert store.save(Unit("shop"), new, term=2, now=NOW)
    assert not store.save(Unit("shop"), old, term=1, now=NOW)
    assert store.load(Unit("shop")) == new
    assert store.load(Unit("other")) is None
    assert (store.highest_term(), PositionStore(mongo_db.empty).highest_term()) == (2, 0)
