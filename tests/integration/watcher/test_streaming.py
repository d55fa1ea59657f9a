"""Readers at work for the units that a watcher holds: shared, paused, divided, given up."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.database import Database

from agents_app import registry
from agents_app.registry import ActiveAgent
from executions_app import fence
from tests.conditions import eventually
from tests.integration.watcher.conftest import MakeAgent
from tests.integration.watcher.streams import Watched, here
from watcher.leading import assignment
from watcher.leading.control import Controls
from watcher.leading.members import Members
from watcher.leading.streaming import StreamKeeper
from watcher.leading.tenure import Tenures
from watcher.process import SideTask
from watcher.reading.event import ChangeEvent
from watcher.reading.status import StreamState
from watcher.reading.stream import ChangeStream

pytestmark = pytest.mark.django_db(transaction=True)

Document = dict[str, Any]


class Site:
    """What watchers share: the agents, the controls, the leases, and where the events go."""

    def __init__(self, mongo: MongoClient[Document], home: Database[Document], other: str) -> None:
        self.watched = Watched(mongo, home)
        self.db, self.home, self.other = home, home, mongo[other]
        self.agents: tuple[ActiveAgent, ...] = ()
        self.controls = Controls(home.streams)
        self._ends: list[Callable[[], None]] = []

    def make(self, holder: str, *, can_divide: bool = True, seconds: float = 2.0) -> StreamKeeper:
        """Make a watcher's streams, for the test to step."""
        duration = timedelta(seconds=seconds)
        members = Members(self.home.watchers, holder, duration=duration)
        tenures = Tenures(
            self.home.leases, members, holder, roles=["stream"], duration=duration, monotonic=time.monotonic
        )
        return StreamKeeper(
            tenures,
            self.controls,
            self.watched.surroundings,
            can_divide=lambda: can_divide,
            monotonic=time.monotonic,
        )

    def start(self, holder: str, *, can_divide: bool = True) -> StreamKeeper:
        """Start a watcher's streams; they end with the test or by `stop`."""
        keeper = self.make(holder, can_divide=can_divide)
        tenures = keeper.tenures
        stopping = threading.Event()
        task = SideTask("stream", keeper, stopping)

        def end() -> None:
            stopping.set()
            task.join(20)
            tenures.close()
            assert not task.failed

        self._ends.append(end)
        tenures.start()
        task.start()
        return keeper

    def stop(self, index: int = -1) -> None:
        """End one watcher's streams as SIGTERM does."""
        self._ends.pop(index)()

    def close(self) -> None:
        """End them all."""
        while self._ends:
            self.stop()

    def states(self, keeper: StreamKeeper) -> dict[str, StreamState]:
        """What a watcher reads, and how that is."""
        return {name: led.status.state for name, led in keeper.led().items()}

    def said_by_lease(self, word: str) -> Document | None:
        """What the stream says of itself to other processes, once a word is in its detail."""
        lease = self.home.leases.find_one({"state.detail": {"$regex": word}})
        return lease and lease["state"]

    def hold_as_straggler(self) -> None:
        """Let somebody hold the lease of the whole database who does nothing any more."""
        lease = {"_id": f"stream:{self.db.name}", "holder": "asleep", "term": 7, "database": self.db.name}
        self.home.leases.insert_one(lease)
        an_hour = [{"$set": {"expires_at": {"$add": ["$$NOW", 3_600_000]}}}]
        self.home.leases.update_one({"holder": "asleep"}, an_hour)

    def let_steps_pass(self, keeper: StreamKeeper) -> None:
        """Wait until a watcher has looked several times, and is known to the others."""
        eventually(keeper.tenures.members.live)
        stepped_at = keeper.tenures.steps()["stream"]
        eventually(lambda: keeper.tenures.steps()["stream"] > stepped_at + 1)

    def is_read_in_parts(self, parts: int, *keepers: StreamKeeper) -> Callable[[], bool]:
        """A probe: these watchers together read the database in so many parts."""
        name = self.db.name
        expected = {f"{name}#{part}/{parts}" for part in range(parts)} if parts > 1 else {name}

        def probe() -> bool:
            states = {key: state for keeper in keepers for key, state in self.states(keeper).items()}
            return states.keys() == expected and StreamState.STARTING not in states.values()

        return probe

    def is_live(self, keeper: StreamKeeper, *names: str) -> Callable[[], bool]:
        """A probe: exactly these units are read by the watcher."""
        return lambda: self.states(keeper) == dict.fromkeys(names, StreamState.LIVE)


@pytest.fixture
def site(
    mongo: MongoClient[Document],
    mongo_db: Database[Document],
    make_agent: MakeAgent,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Site]:
    """One agent of the test's database, none of the other one's, and no watcher yet."""
    made = Site(mongo, mongo_db, f"{mongo_db.name}_b")
    made.agents = (make_agent(),)
    monkeypatch.setattr(registry, "active_agents", lambda: made.agents)
    yield made
    made.close()
    mongo.drop_database(made.other.name)


def watch_both(site: Site, make_agent: MakeAgent) -> list[str]:
    site.agents = (make_agent(), make_agent("other", watch={"database": site.other.name}))
    return [site.db.name, site.other.name]


def test_units_are_shared_with_a_newcomer_and_taken_over_from_one_that_leaves(
    site: Site, make_agent: MakeAgent
) -> None:
    names = watch_both(site, make_agent)
    first = site.start("a")
    eventually(site.is_live(first, *names))

    second = site.start("b")
    eventually(site.is_live(first, names[0]))
    eventually(site.is_live(second, names[1]))
    site.stop(0)
    eventually(site.is_live(second, *names))

    site.db.tickets.insert_one({"_id": "here"})
    site.other.tickets.insert_one({"_id": "there"})
    eventually(lambda: {"here", "there"} <= set(site.watched.catch.keys))


def test_leases_that_are_lost_stop_no_stream(site: Site, mongo: MongoClient[Document]) -> None:
    late = fence.Term("stream", 41)
    assert site.watched.store(here(mongo, *site.agents), term=late)

    keeper = site.start("a")

    eventually(site.is_live(keeper, site.db.name))
    assert keeper.led()[site.db.name].term == 42
    site.home.leases.delete_many({})
    eventually(lambda: site.states(keeper) and keeper.led()[site.db.name].term > 42)
    site.db.tickets.insert_one({"_id": "after the loss"})
    eventually(site.watched.caught("after the loss"))


def test_a_paused_stream_reads_nothing_and_misses_nothing(site: Site) -> None:
    keeper = site.start("a")
    eventually(site.is_live(keeper, site.db.name))
    site.controls.pause(site.db.name)
    eventually(lambda: site.states(keeper) == {site.db.name: StreamState.PAUSED})
    site.db.tickets.insert_one({"_id": "while paused"})
    said = eventually(
        lambda: (site.home.leases.find_one({"state.state": "paused"}) or {}).get("state"), seconds=10
    )
    assert said["cluster_time"] is not None
    assert "while paused" not in site.watched.catch.keys

    site.controls.resume(site.db.name)

    eventually(site.watched.caught("while paused"))


def test_a_position_that_was_set_is_read_from_at_once(site: Site, mongo: MongoClient[Document]) -> None:
    earlier = here(mongo, *site.agents)
    site.db.tickets.insert_one({"_id": "again"})
    keeper = site.start("a")
    eventually(site.is_live(keeper, site.db.name))
    seen = site.watched.catch.keys.count("again")
    site.controls.pause(site.db.name)
    eventually(lambda: site.states(keeper) == {site.db.name: StreamState.PAUSED})

    site.home.positions.update_one(
        {"_id": site.db.name},
        {"$set": {"cluster_time": earlier.time, "token": None, "pipeline": ""}, "$inc": {"generation": 1}},
    )
    site.controls.renew(site.db.name)
    site.controls.resume(site.db.name)

    eventually(lambda: site.watched.catch.keys.count("again") > seen)


def test_dividing_a_stream_and_joining_it_again_loses_nothing_and_keeps_order(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens: dict[object, dict[str, None]] = {}

    def ingest(_matcher: object, events: Sequence[ChangeEvent], *, term: fence.Term) -> None:
        assert term.number
        for event in events:
            # The ledger too keeps the first of several rows of one event.
            tokens.setdefault(event.key, {}).setdefault(event.token)

    monkeypatch.setattr(site.watched.catch, "ingest", ingest)
    keepers = site.start("a"), site.start("b")
    eventually(site.is_read_in_parts(1, *keepers))
    stop = threading.Event()
    rounds = 0

    def write() -> None:
        nonlocal rounds
        while not stop.wait(0.005):
            rounds += 1
            for key in range(20):
                site.db.tickets.update_one({"_id": key}, {"$set": {"n": rounds}}, upsert=True)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for parts in (2, 3, 1):
            site.controls.divide(site.db.name, parts)
            eventually(site.is_read_in_parts(parts, *keepers), seconds=40)
    finally:
        stop.set()
        writer.join()

    eventually(lambda: [len(tokens[key]) for key in range(20)] == [rounds] * 20)
    assert all(list(tokens[key]) == sorted(tokens[key]) for key in range(20))


def test_the_parts_of_a_divided_stream_are_shared_and_no_document_is_read_twice(site: Site) -> None:
    site.controls.divide(site.db.name, 4)
    first, second = site.start("a"), site.start("b")
    eventually(lambda: [len(first.led()), len(second.led())] == [2, 2])
    for keeper in (first, second):
        eventually(site.is_live(keeper, *keeper.led()))

    site.db.tickets.insert_many([{"_id": number} for number in range(200)])

    eventually(lambda: len(site.watched.catch.keys) >= 200)
    assert Counter(site.watched.catch.keys) == Counter(range(200))


def test_parts_wait_for_whoever_still_reads_the_whole(site: Site) -> None:
    site.hold_as_straggler()
    site.controls.divide(site.db.name, 2)
    keeper = site.start("a")
    site.let_steps_pass(keeper)
    assert keeper.led() == {}

    site.home.leases.update_one({"holder": "asleep"}, {"$set": {"holder": None}})

    eventually(lambda: len(keeper.led()) == 2)
    assert fence.highest(f"stream:{site.db.name}") == 8


def test_who_has_the_lease_of_a_part_waits_too_while_somebody_reads_the_whole(site: Site) -> None:
    site.controls.pause(site.db.name)
    site.controls.divide(site.db.name, 2)
    keeper = site.start("a")
    eventually(lambda: list(site.states(keeper).values()) == [StreamState.PAUSED] * 2)
    site.hold_as_straggler()
    site.controls.resume(site.db.name)
    site.let_steps_pass(keeper)
    assert list(site.states(keeper).values()) == [StreamState.PAUSED] * 2

    site.home.leases.update_one({"holder": "asleep"}, {"$set": {"holder": None}})

    eventually(site.is_live(keeper, *keeper.led()))


def test_readers_begin_anew_when_an_operator_asks_for_it(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    keeper = site.start("a")
    eventually(site.is_live(keeper, site.db.name))

    site.controls.renew(site.db.name)

    eventually(lambda: caplog.text.count("stream.opened") == 2)


def test_a_server_that_cannot_divide_says_so_and_the_other_databases_go_on(
    site: Site, make_agent: MakeAgent
) -> None:
    names = watch_both(site, make_agent)
    site.controls.divide(names[1], 2)

    keeper = site.start("a", can_divide=False)

    eventually(lambda: site.states(keeper).get(names[0]) is StreamState.LIVE)
    eventually(lambda: site.states(keeper).get(f"{names[1]}#0/2") is StreamState.REFUSED)
    assert "upgrade MongoDB" in keeper.led()[f"{names[1]}#0/2"].status.detail


def test_a_reader_that_hangs_is_given_up_and_another_watcher_reads_on(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(assignment, "HUNG_SECONDS", 1.5)
    hangs, go_on = threading.Event(), threading.Event()
    catch = site.watched.catch.ingest

    def ingest(matcher: Any, events: Any, *, term: fence.Term) -> int:
        if any(event.key == "poison" for event in events) and not hangs.is_set():
            hangs.set()
            go_on.wait(60)
        return catch(matcher, events, term=term)

    monkeypatch.setattr(site.watched.catch, "ingest", ingest)
    first = site.start("a")
    eventually(site.is_live(first, site.db.name))
    second = site.start("b")

    site.db.tickets.insert_one({"_id": "poison"})
    assert hangs.wait(20)
    try:
        eventually(site.is_live(second, site.db.name))
        eventually(site.watched.caught("poison"))
        assert first.led() == {}
    finally:
        go_on.set()


def test_a_server_that_has_a_long_oplog_to_look_through_is_waited_for(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(assignment, "HUNG_SECONDS", 0.3)
    monkeypatch.setattr(assignment, "LEAVING_PATIENCE", 0.1)
    monkeypatch.setattr(assignment, "SLOW_ANSWER", 0.3)
    has_looked = threading.Event()

    class LongOplog(ChangeStream):
        def open(self, *arguments: Any) -> None:
            assert has_looked.wait(60)
            super().open(*arguments)

    monkeypatch.setattr("watcher.reading.reader.ChangeStream", LongOplog)
    keeper = site.start("a")
    site.start("b")
    try:
        said = eventually(lambda: site.said_by_lease("oplog"))
        site.let_steps_pass(keeper)
        assert site.home.leases.distinct("term") == [1]
        assert said["state"] == "starting"
        assert said["polled_ago"] > 0
    finally:
        has_looked.set()


def test_a_lease_that_is_too_old_to_be_used_is_released_and_not_renewed_for_nobody(site: Site) -> None:
    keeper = site.make("a", seconds=60)
    keeper.step()
    keeper.step()
    [held] = keeper.tenures._held.values()
    held.until = float("-inf")

    keeper.step()

    assert site.home.leases.distinct("holder") == [None]
    keeper.step()
    assert keeper.led()[site.db.name].term > held.term.number
    keeper.stop()


def test_a_database_that_nobody_watches_any_more_is_let_go(site: Site, make_agent: MakeAgent) -> None:
    names = watch_both(site, make_agent)
    keeper = site.start("a")
    eventually(site.is_live(keeper, *names))

    site.agents = (replace(site.agents[0]),)

    eventually(site.is_live(keeper, names[0]))
    eventually(lambda: site.home.leases.distinct("_id") == [f"stream:{names[0]}"])
