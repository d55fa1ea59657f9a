"""Leases that are renewed in time, and what is led stopped in time where they cannot be."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import DatabaseError
from pymongo import MongoClient
from pymongo.database import Database

from executions_app import fence
from executions_app.fence import Fenced, Term
from sandbox.embedded.server import RunningServer
from tests.conditions import eventually
from watcher.leading import tenure
from watcher.leading.members import Member, Members
from watcher.leading.tenure import Tenures

pytestmark = pytest.mark.django_db(transaction=True)

Document = dict[str, Any]
Make = Callable[..., Tenures]


def tenures_of(db: Database[Document], holder: str, *, seconds: float) -> Tenures:
    duration = timedelta(seconds=seconds)
    members = Members(db.watchers, holder, duration=duration)
    return Tenures(db.leases, members, holder, roles=["stream"], duration=duration, monotonic=time.monotonic)


@pytest.fixture
def make(mongo_db: Database[Document]) -> Iterator[Make]:
    """Make a watcher's tenures; they are closed when the test ends."""
    made: list[Tenures] = []

    def make_tenures(holder: str = "a", *, seconds: float = 30.0) -> Tenures:
        made.append(tenures_of(mongo_db, holder, seconds=seconds))
        return made[-1]

    yield make_tenures
    for tenures in made:
        tenures.close()


def test_the_ledger_knows_the_term_before_anybody_leads(make: Make) -> None:
    first, second = make("a"), make("b")
    held = first.take("stream:shop", role="stream")
    assert held is not None
    with fence.held(held.term):
        pass
    first.give_up(held)

    successor = second.take("stream:shop", role="stream")

    assert successor is not None
    assert successor.term.number > held.term.number
    with pytest.raises(Fenced), fence.held(held.term):
        pass


def test_leases_that_were_lost_rise_above_what_the_ledger_knows(make: Make) -> None:
    fence.begin(Term("stream:shop", 41))

    tenures = make()

    assert eventually(lambda: tenures.take("stream:shop", role="stream")).term.number == 42


def test_the_term_of_a_sleeper_is_not_used_again(make: Make, mongo_db: Database[Document]) -> None:
    first, second = make("a"), make("b")
    sleeping = first.take("stream:shop", role="stream")
    assert sleeping is not None
    mongo_db.leases.delete_many({})

    successor = eventually(lambda: second.take("stream:shop", role="stream"))

    assert successor.term.number > sleeping.term.number


def test_a_watcher_whose_ledger_is_away_keeps_the_lease_from_nobody(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut_off, other = make("a"), make("b")

    def away(_name: str) -> int:
        raise DatabaseError

    with monkeypatch.context() as patched:
        patched.setattr(fence, "highest", away)
        with pytest.raises(DatabaseError):
            cut_off.take("dispatch", role="stream")

    assert other.take("dispatch", role="stream") is not None


def test_no_lease_is_held_while_a_ledger_that_hangs_is_asked(
    make: Make, mongo_db: Database[Document], monkeypatch: pytest.MonkeyPatch
) -> None:
    def hanging(name: str) -> int:
        assert not mongo_db.leases.count_documents({"_id": name})
        raise DatabaseError

    monkeypatch.setattr(fence, "highest", hanging)

    with pytest.raises(DatabaseError):
        make("a").take("dispatch", role="stream")


def test_a_lease_that_is_renewed_is_kept_for_longer_than_it_lasts(
    make: Make, mongo_db: Database[Document]
) -> None:
    tenures = make(seconds=1.0)
    held = tenures.take("stream:shop", role="stream", state=lambda: {"state": "live"})
    assert held is not None
    tenures.start()

    def renewed() -> Any:
        return (mongo_db.leases.find_one({"_id": "stream:shop"}) or {})["renewed_at"]

    first = renewed()
    eventually(lambda: renewed() - first > timedelta(seconds=1.5))

    assert tenures.holds(held)
    assert tenures.terms() == {"stream:shop": 1}


def test_what_another_watcher_has_taken_is_stopped(make: Make, mongo_db: Database[Document]) -> None:
    stopped = threading.Event()
    tenures = make(seconds=1.0)
    held = tenures.take("stream:shop", role="stream", on_lost=stopped.set)
    assert held is not None
    mongo_db.leases.update_one({"_id": "stream:shop"}, {"$set": {"holder": "b", "term": 2}})

    tenures.start()

    assert stopped.wait(20)
    assert not tenures.holds(held)
    assert tenures.terms() == {}


def test_who_cannot_renew_stops_before_the_lease_runs_out_at_the_server(own_mongod: RunningServer) -> None:
    lost: list[datetime] = []
    with MongoClient[Document](own_mongod.url, tz_aware=True, serverSelectionTimeoutMS=2000) as client:
        tenures = tenures_of(client.home, "a", seconds=6.0)
        held = tenures.take("stream:shop", role="stream", on_lost=lambda: lost.append(datetime.now(UTC)))
        assert held is not None
        tenures.start()
        os.kill(own_mongod.pid, signal.SIGSTOP)
        try:
            eventually(lambda: lost)
        finally:
            os.kill(own_mongod.pid, signal.SIGCONT)

        kept = client.home.leases.find_one({"_id": "stream:shop"}) or {}
        assert kept["holder"] == "a"
        assert lost[0] < kept["expires_at"]
        assert not tenures.holds(held)
        again = eventually(lambda: tenures.take("stream:shop", role="stream"))
        assert again.term.number > held.term.number
        tenures.close()


def test_a_role_that_hangs_is_given_up_and_left_to_others(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tenure, "HUNG_SECONDS", 0.0)
    hanging, other = make("a", seconds=3.0), make("b", seconds=3.0)
    held = hanging.take("dispatch", role="stream")
    assert held is not None

    hanging.start()

    successor = eventually(lambda: other.take("dispatch", role="stream"))
    assert successor.term.number > held.term.number
    assert not hanging.holds(held)
    assert hanging.take("dispatch", role="stream") is None


def test_a_role_that_has_not_stepped_for_long_is_no_longer_counted_on(
    make: Make, mongo_db: Database[Document]
) -> None:
    tenures = make(seconds=1.0)
    tenures.start()
    eventually(lambda: tenures.members.live() == (Member("a", frozenset({"stream"})),))

    eventually(lambda: tenures.members.live() == (Member("a", frozenset()),))

    tenures.stepped("stream")
    eventually(lambda: tenures.members.live() == (Member("a", frozenset({"stream"})),))


def test_whoever_leaves_frees_everything_at_once(make: Make, mongo_db: Database[Document]) -> None:
    leaving, staying = make("a"), make("b")
    assert leaving.take("stream:shop", role="stream")
    assert leaving.take("dispatch", role="stream")
    leaving.members.beat(["stream"])

    leaving.close()

    assert staying.take("stream:shop", role="stream")
    assert staying.take("dispatch", role="stream")
    assert staying.members.live() == ()
    assert leaving.take("backfill", role="stream") is None


def test_a_retired_lease_is_fenced_and_its_name_begins_above_it(make: Make) -> None:
    old, new = make("a"), make("b")
    held = old.take("stream:shop", role="stream")
    assert held is not None
    old.give_up(held)
    [seen] = new.leases("stream:")

    new.retire(seen)

    assert new.leases("stream:") == []
    with pytest.raises(Fenced), fence.held(held.term):
        pass
    again = eventually(lambda: new.take("stream:shop", role="stream"))
    assert again.term.number > held.term.number + 1
