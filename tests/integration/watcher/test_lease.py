"""One leader at a time, and a term that fences the one before."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

from pymongo.database import Database

from tests.conditions import eventually
from watcher.leading.lease import Lease, leases_of, renew, retire

Document = dict[str, Any]
LONG = timedelta(minutes=1)
SHORT = timedelta(milliseconds=50)


def lease(db: Database[Document], holder: str, *, duration: timedelta = LONG) -> Lease:
    return Lease(db.leases, "stream:shop", holder, duration=duration)


def is_renewed(db: Database[Document], held: Lease, term: int, state: Document | None = None) -> bool:
    return renew(db.leases, [held.renewal(term, state)]) == [True]


def test_the_second_comer_waits_and_the_holder_renews(mongo_db: Database[Document]) -> None:
    first, second = lease(mongo_db, "a"), lease(mongo_db, "b")

    assert [first.acquire(), second.acquire()] == [1, None]
    assert is_renewed(mongo_db, first, 1)
    assert not is_renewed(mongo_db, second, 1)


def test_each_acquisition_is_a_new_term_also_for_the_same_holder(mongo_db: Database[Document]) -> None:
    first = lease(mongo_db, "a")

    assert [first.acquire(), first.acquire()] == [1, 2]
    assert not is_renewed(mongo_db, first, 1)
    assert is_renewed(mongo_db, first, 2)


def test_a_released_lease_is_free_at_once_and_its_term_grows(mongo_db: Database[Document]) -> None:
    first, second = lease(mongo_db, "a"), lease(mongo_db, "b")
    first.acquire()
    first.release(1)

    assert not is_renewed(mongo_db, first, 1)
    assert second.acquire() == 2


def test_a_late_release_of_an_earlier_term_frees_nothing(mongo_db: Database[Document]) -> None:
    first, second = lease(mongo_db, "a"), lease(mongo_db, "b")
    first.acquire()
    first.acquire()

    first.release(1)

    assert second.acquire() is None


def test_the_lease_of_a_holder_that_is_gone_runs_out(mongo_db: Database[Document]) -> None:
    gone = lease(mongo_db, "a", duration=SHORT)
    gone.acquire()

    assert eventually(lease(mongo_db, "b").acquire) == 2
    assert not is_renewed(mongo_db, gone, 1)


def test_of_many_racing_for_a_new_lease_one_gets_it(mongo_db: Database[Document]) -> None:
    terms: list[int | None] = []
    barrier = threading.Barrier(8)

    def race(name: str) -> None:
        barrier.wait()
        terms.append(lease(mongo_db, name).acquire())

    threads = [threading.Thread(target=race, args=(str(n),)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(terms) == 8
    assert sorted(term for term in terms if term is not None) == [1]


def test_a_new_term_rises_above_any_that_is_known_elsewhere(mongo_db: Database[Document]) -> None:
    first, second = lease(mongo_db, "a"), lease(mongo_db, "b")

    assert [first.acquire(above=7), second.acquire(above=20), first.acquire(above=3)] == [8, None, 9]


def test_everybody_sees_who_holds_what_and_what_has_run_out(mongo_db: Database[Document]) -> None:
    lease(mongo_db, "a").acquire(about={"database": "shop"})
    Lease(mongo_db.leases, "stream:blog", "b", duration=SHORT).acquire(about={"database": "blog"})
    Lease(mongo_db.leases, "dispatch", "c", duration=LONG).acquire()

    def seen() -> dict[str, tuple[str | None, str | None]]:
        return {held.name: (held.holder, held.database) for held in leases_of(mongo_db.leases, "stream:")}

    expected = {"stream:shop": ("a", "shop"), "stream:blog": (None, "blog")}
    eventually(lambda: seen() == expected)


def test_only_a_free_lease_can_be_retired(mongo_db: Database[Document]) -> None:
    first = lease(mongo_db, "a")
    first.acquire()
    [held] = leases_of(mongo_db.leases, "stream:")
    retire(mongo_db.leases, held)
    assert is_renewed(mongo_db, first, 1)

    first.release(1)
    retire(mongo_db.leases, held)

    assert leases_of(mongo_db.leases, "stream:") == []


def test_what_a_stream_says_of_itself_is_kept_with_its_lease(mongo_db: Database[Document]) -> None:
    first = lease(mongo_db, "a")
    first.acquire()
    is_renewed(mongo_db, first, 1, {"state": "live", "detail": "$not an expression"})

    found = mongo_db.leases.find_one({"_id": "stream:shop"}) or {}

    assert found["state"] == {"state": "live", "detail": "$not an expression"}
    assert found["pid"]


def test_of_many_leases_that_are_renewed_together_those_that_are_lost_are_named(
    mongo_db: Database[Document],
) -> None:
    leases = [Lease(mongo_db.leases, f"stream:{number}", "a", duration=LONG) for number in range(4)]
    for one in leases:
        one.acquire()
    mongo_db.leases.update_one({"_id": "stream:2"}, {"$set": {"holder": "b"}})

    assert renew(mongo_db.leases, [one.renewal(1) for one in leases]) == [True, True, False, True]
    assert renew(mongo_db.leases, []) == []
