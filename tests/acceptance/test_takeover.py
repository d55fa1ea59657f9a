"""Several watchers: who is killed, stopped or paused is succeeded within seconds, and nothing is done twice."""

from __future__ import annotations

import os
import signal
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import psycopg
import pytest

from tests.acceptance.conftest import Fleet
from tests.acceptance.publishing import publish_all
from tests.conditions import eventually

pytestmark = pytest.mark.sql

ROWS = "SELECT count(*) FROM executions_app_execution"
ENRICHED_TWICE = """
SELECT count(*) FROM executions_app_execution WHERE status = 'completed' GROUP BY subject HAVING count(*) > 1
"""


@pytest.fixture
def watchers(fleet: Fleet) -> Fleet:
    """One agent, two watchers with settings as delivered; `first` leads everything."""
    del fleet.environ["MONGOCLAW_WATCHER__LEASE_SECONDS"]
    fleet.publish()
    fleet.start_watcher("first")
    fleet.wait_for(lambda: "stream.opened" in fleet.log("first"))
    fleet.wait_for(lambda: {"dispatch", "backfill"} <= held_by(fleet, "first").keys())
    fleet.start_watcher("second")
    return fleet


def held_by(fleet: Fleet, name: str) -> dict[str, int]:
    """The leases that a watcher holds, with their terms."""
    pid = fleet.children[name].process.pid
    leases = fleet.mongo[fleet.environ["MONGOCLAW_MONGODB__DATABASE"]].leases
    return {lease["_id"]: lease["term"] for lease in leases.find({"pid": pid, "holder": {"$ne": None}})}


def stream_of(fleet: Fleet) -> str:
    return f"stream:{fleet.db.name}"


def leads(fleet: Fleet, name: str) -> bool:
    return {stream_of(fleet), "dispatch", "backfill"} <= held_by(fleet, name).keys()


@contextmanager
def writing(fleet: Fleet) -> Iterator[list[int]]:
    """Insert tickets all the while; gives the ids, acknowledged ones only."""
    written: list[int] = []
    enough = threading.Event()

    def write() -> None:
        while not enough.wait(0.01):
            fleet.db.tickets.insert_one({"_id": len(written), "text": f"ticket {len(written)}"})
            written.append(len(written))

    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield written
    finally:
        enough.set()
        writer.join()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["SIGKILL", "SIGTERM"])
def test_a_watcher_that_ends_is_succeeded_in_everything_it_led(watchers: Fleet, number: int) -> None:
    with writing(watchers) as written:
        watchers.wait_for(lambda: watchers.count(ROWS) > 20)
        ending = watchers.children.pop("first")
        os.kill(ending.process.pid, number)
        watchers.wait_for(lambda: leads(watchers, "second"), seconds=20)
        here = len(written)
        watchers.wait_for(lambda: watchers.count(ROWS) > here + 20, seconds=20)
    ending.kill()

    watchers.start_worker()
    watchers.wait_for(lambda: watchers.enriched() == len(written))
    watchers.wait_until_idle()
    assert watchers.count(ROWS) == len(written)
    assert watchers.model.calls()["total"] == len(written)
    assert not watchers.rows(ENRICHED_TWICE)


@contextmanager
def ledger_locked(fleet: Fleet) -> Iterator[None]:
    """Hold every writer of executions at the door."""
    url = fleet.environ["MONGOCLAW_DATABASE__URL"]
    if url.startswith("sqlite:"):
        held: Any = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
        held.execute("BEGIN IMMEDIATE")
    else:
        held = psycopg.connect(url)
        held.execute("LOCK TABLE executions_app_execution IN SHARE ROW EXCLUSIVE MODE")
    try:
        yield
    finally:
        held.rollback()
        held.close()


def test_a_paused_leader_that_wakes_up_writes_nothing_and_stands_down(watchers: Fleet) -> None:
    """It sleeps with a batch in hand, at the very door of the ledger."""
    with writing(watchers) as written:
        watchers.wait_for(lambda: watchers.count(ROWS) > 20)
        old = held_by(watchers, "first")
        sleeper = watchers.children.pop("first")
        with ledger_locked(watchers):
            before = len(written)
            eventually(lambda: len(written) > before + 50)
            os.kill(sleeper.process.pid, signal.SIGSTOP)
        try:
            watchers.wait_for(lambda: leads(watchers, "second"), seconds=30)
            watchers.wait_for(lambda: watchers.count(ROWS) > before + 50)
        finally:
            watchers.children["first"] = sleeper
    watchers.start_worker()
    watchers.wait_for(lambda: watchers.enriched() == len(written))
    watchers.wait_until_idle()
    assert watchers.model.calls()["total"] == len(written)
    told = watchers.log("first")
    # What it would record is on record, and would be ignored: so that it would be seen, all is forgotten.
    forget_everything(watchers)

    os.kill(sleeper.process.pid, signal.SIGCONT)
    watchers.wait_for(lambda: has_stood_down(watchers.log("first")[len(told) :], old))
    watchers.insert(50, start=100_000)
    watchers.wait_for(lambda: watchers.enriched() == len(written) + 50)
    watchers.wait_until_idle()

    assert watchers.count(ROWS) == 50
    assert position_term(watchers) == held_by(watchers, "second")[stream_of(watchers)]
    assert position_term(watchers) > old[stream_of(watchers)]
    assert watchers.model.calls()["total"] == len(written) + 50


def has_stood_down(log: str, leases: dict[str, int]) -> bool:
    """Whether a watcher says that it lost these leases, each by its own clock or from the server."""
    lines = [line for line in log.splitlines() if "lease.lost" in line or "lease.ran_out" in line]
    return all(any(name in line for line in lines) for name in leases)


def forget_everything(fleet: Fleet) -> None:
    """Empty the ledger, as the end of a retention would."""
    url = fleet.environ["MONGOCLAW_DATABASE__URL"]
    connect: Any = sqlite3.connect if url.startswith("sqlite:") else psycopg.connect
    with closing(connect(url.removeprefix("sqlite:///"))) as connection:
        for table in ("attempt", "execution"):
            connection.execute(f"DELETE FROM executions_app_{table}")
        connection.commit()


def position_term(fleet: Fleet) -> int:
    """Under which term the position was stored last."""
    home = fleet.mongo[fleet.environ["MONGOCLAW_MONGODB__DATABASE"]]
    [found] = home["resume_tokens"].find({"database": fleet.db.name})
    return int(found["term"])


@pytest.mark.once
def test_a_thousand_agents_cost_a_cursor_per_database_and_a_new_one_is_taken_up(fleet: Fleet) -> None:
    databases = [fleet.db.name, f"{fleet.db.name}_b", f"{fleet.db.name}_c"]
    publish_all(
        fleet,
        (
            fleet.spec(
                id=f"agent-{number}",
                watch={"database": databases[number % 3], "collection": f"c{number % 200}"},
                write={"target_field": f"ai_{number}"},
            )
            for number in range(1000)
        ),
    )
    fleet.start()
    fleet.wait_for(lambda: fleet.log("watcher").count("stream.opened") == 3)
    try:
        assert open_cursors(fleet, databases) == 3
        fleet.publish()
        fleet.insert(1)
        fleet.wait_for(lambda: fleet.enriched() == 1)
        assert open_cursors(fleet, databases) == 3
    finally:
        for database in databases[1:]:
            fleet.mongo.drop_database(database)


def open_cursors(fleet: Fleet, databases: list[str]) -> int:
    """Count the change streams on these databases, those that wait for events included."""
    names = [f"{name}.{kind}" for name in databases for kind in ("$cmd", "$cmd.aggregate")]
    operations = fleet.mongo.admin.aggregate(
        [
            {"$currentOp": {"allUsers": True, "idleCursors": True}},
            {"$match": {"ns": {"$in": names}, "cursor.tailable": True}},
        ]
    )
    return len({operation["cursor"]["cursorId"] for operation in operations})
