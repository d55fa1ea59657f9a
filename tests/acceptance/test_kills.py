"""SIGKILL, lost brokers and locked databases: nothing lost, nothing doubled."""

from __future__ import annotations

import os
import signal
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from pymongo import MongoClient
from redis import Redis

from sandbox.embedded import start_mongod, start_valkey
from tests.acceptance.conftest import ON_RABBITMQ_TOO, Document, Fleet

RUNNING = "SELECT count(*) FROM executions_app_execution WHERE status = 'running'"
ENRICHED_TWICE = """
SELECT count(*) FROM executions_app_execution WHERE status = 'completed' GROUP BY subject HAVING count(*) > 1
"""


def calls_per_prompt(fleet: Fleet) -> list[int]:
    """How often each prompt was asked."""
    return sorted(
        entry["calls"] if isinstance(entry, dict) else entry
        for entry in fleet.model.calls()["per_prompt"].values()
    )


def wait_for_enriched(fleet: Fleet, count: int) -> None:
    """Wait until so many tickets carry an answer."""
    fleet.wait_for(lambda: fleet.enriched() >= count)


@ON_RABBITMQ_TOO
@pytest.mark.sql
def test_sigkill_of_a_worker_with_64_runs_in_flight_costs_one_call_each_at_most(fleet: Fleet) -> None:
    fleet.model.set_latency(3000)
    fleet.publish()
    fleet.start()
    fleet.insert(100)
    fleet.wait_for(lambda: fleet.model.calls()["in_flight"] == 64)

    fleet.kill("worker")
    fleet.model.set_latency(50)
    fleet.start_worker("worker-2")

    fleet.wait_for(lambda: fleet.enriched() == 100, seconds=30)
    fleet.wait_until_idle()
    assert fleet.model.calls()["total"] <= 164
    assert max(calls_per_prompt(fleet)) <= 2
    assert not fleet.rows(ENRICHED_TWICE)


@pytest.fixture
def own_mongod(fleet: Fleet, tmp_path: Path) -> Iterator[Fleet]:
    """The fleet on a MongoDB of its own, where what nobody finishes is rolled back after 20 s instead of 60."""
    server = start_mongod(tmp_path / "mongod")
    with MongoClient[Document](server.url, tz_aware=True) as mongo:
        mongo.admin.command("setParameter", 1, transactionLifetimeLimitSeconds=20)
        environ = {**fleet.environ, "MONGOCLAW_MONGODB__URI": server.url}
        yield replace(fleet, mongo=mongo, db=mongo[fleet.db.name], environ=environ)
    for child in fleet.children.values():
        child.kill()
    server.stop()


def test_a_worker_killed_in_the_middle_of_a_strict_write_elsewhere_makes_no_dead_letter(
    own_mongod: Fleet,
) -> None:
    """Its transaction keeps the document locked for longer than all tries take that failures are allowed."""
    fleet = own_mongod
    fleet.publish(
        write={"target_collection": "summaries"},
        execution={"consistency_mode": "strict_post_commit", "max_retries": 1, "timeout_seconds": 1},
    )
    fleet.start_watcher()
    step = "enrichment.writeback.apply:_update"
    child = fleet.start_module("killed", "tests.acceptance.kill_at", "after", step, "worker")
    fleet.insert(1)
    fleet.wait_until_dead("killed", child)

    fleet.start_worker("heir")
    fleet.wait_until_idle()

    ended = "SELECT status, error_type FROM executions_app_execution WHERE status <> 'skipped'"
    assert fleet.rows(ended) == [("completed", "")]
    assert fleet.db.summaries.count_documents({"ai.category": {"$exists": True}}) == 1
    assert fleet.model.calls()["total"] == 1


def test_sigterm_of_a_worker_finishes_its_runs_and_costs_no_second_call(fleet: Fleet) -> None:
    fleet.model.set_latency(2000)
    fleet.publish()
    fleet.start()
    fleet.insert(100)
    fleet.wait_for(lambda: fleet.model.calls()["in_flight"] == 64)

    fleet.stop("worker")
    fleet.model.set_latency(50)
    fleet.start_worker("worker-2")

    fleet.wait_for(lambda: fleet.enriched() == 100, seconds=30)
    fleet.wait_until_idle()
    assert fleet.model.calls()["total"] == 100


def test_sigkill_of_the_watcher_while_documents_come_in_loses_and_doubles_nothing(fleet: Fleet) -> None:
    fleet.publish()
    fleet.start()
    stop = threading.Event()

    def write() -> None:
        for number in range(600):
            fleet.db.tickets.insert_one({"_id": number, "text": f"ticket {number}"})
            if stop.wait(0.005):
                return

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for life in range(3):
            wait_for_enriched(fleet, 100 * (life + 1))
            fleet.kill("watcher" if life == 0 else f"watcher-{life}")
            fleet.start_watcher(f"watcher-{life + 1}")
        writer.join(30)
    finally:
        stop.set()
        writer.join()

    fleet.wait_for(lambda: fleet.enriched() == 600)
    fleet.wait_until_idle()
    assert fleet.model.calls()["total"] == 600
    assert not fleet.rows(ENRICHED_TWICE)


def test_of_two_watchers_one_leads_and_the_other_takes_over_when_it_is_killed(fleet: Fleet) -> None:
    fleet.publish()
    fleet.start()
    fleet.start_module("second", "watcher")
    fleet.wait_for(lambda: "watcher.started" in fleet.log("second"))
    fleet.insert(100)
    fleet.wait_for(lambda: fleet.enriched() >= 20)

    fleet.kill("watcher")
    fleet.insert(100, start=100)

    fleet.wait_for(lambda: fleet.enriched() == 200)
    fleet.wait_until_idle()
    assert "stream.opened" in fleet.log("second")
    assert fleet.model.calls()["total"] == 200
    assert not fleet.rows(ENRICHED_TWICE)


def test_a_flushed_broker_loses_nothing(fleet: Fleet) -> None:
    fleet.publish()
    fleet.start_watcher()
    fleet.insert(1000)
    fleet.wait_for(lambda: fleet.count("SELECT count(*) FROM executions_app_execution") == 1000)
    fleet.wait_for(
        lambda: fleet.count("SELECT count(*) FROM executions_app_execution WHERE status = 'queued'") > 100
    )

    with Redis.from_url(fleet.broker.url) as client:
        client.flushall()
    fleet.start_worker()

    fleet.wait_for(lambda: fleet.enriched() == 1000, seconds=90)
    assert fleet.model.calls()["total"] == 1000


def test_a_broker_that_is_away_during_inserts_loses_nothing(fleet: Fleet) -> None:
    fleet.publish()
    fleet.start()
    port = int(fleet.broker.url.rpartition(":")[2].partition("/")[0])
    fleet.broker.kill()
    fleet.insert(200)
    fleet.wait_for(lambda: fleet.count("SELECT count(*) FROM executions_app_execution") == 200)

    fleet.broker = start_valkey(fleet.directory / "valkey-again", port=port)

    fleet.wait_for(lambda: fleet.enriched() == 200, seconds=60)
    assert fleet.model.calls()["total"] == 200


def test_a_locked_ledger_loses_nothing(fleet: Fleet) -> None:
    url = fleet.environ["MONGOCLAW_DATABASE__URL"]
    if not url.startswith("sqlite:"):
        pytest.skip("only SQLite has one lock for all writers")
    fleet.publish()
    fleet.start()
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        fleet.insert(100)
        threading.Event().wait(22)  # longer than the 20 s that a writer waits for the lock
        connection.execute("ROLLBACK")

    fleet.wait_for(lambda: fleet.enriched() == 100, seconds=60)
    fleet.wait_until_idle()
    assert fleet.model.calls()["total"] == 100


def test_a_worker_that_was_stopped_and_wakes_up_late_changes_nothing(fleet: Fleet) -> None:
    fleet.model.set_latency(1000)
    fleet.publish()
    fleet.start()
    fleet.insert(20)
    fleet.wait_for(lambda: fleet.model.calls()["in_flight"] == 20)
    sleeper = fleet.children.pop("worker")
    os.killpg(sleeper.process.pid, signal.SIGSTOP)
    try:
        fleet.model.set_latency(20)
        fleet.start_worker("worker-2")
        fleet.wait_for(lambda: fleet.enriched() == 20, seconds=40)
        fleet.wait_until_idle()
        before = list(fleet.db.tickets.find())
        os.killpg(sleeper.process.pid, signal.SIGCONT)
        fleet.wait_for(lambda: fleet.log("worker").count("execution.fenced") == 20)
    finally:
        fleet.children["worker"] = sleeper

    assert list(fleet.db.tickets.find()) == before
    assert not fleet.rows(ENRICHED_TWICE)


def test_a_worker_that_wakes_up_late_leaves_no_answer_in_a_document_that_was_deleted_and_inserted_anew(
    fleet: Fleet,
) -> None:
    fleet.model.set_latency(1000)
    fleet.publish()
    fleet.start()
    fleet.insert(20)
    fleet.wait_for(lambda: fleet.model.calls()["in_flight"] == 20)
    sleeper = fleet.children.pop("worker")
    os.killpg(sleeper.process.pid, signal.SIGSTOP)
    try:
        fleet.model.set_latency(20)
        fleet.start_worker("worker-2")
        fleet.wait_for(lambda: fleet.enriched() == 20, seconds=40)
        fleet.wait_until_idle()
        # With the answers goes what would fence the late ones off; and nobody is there to write newer ones.
        fleet.kill("watcher")
        fleet.db.tickets.delete_many({})
        fleet.insert(20, text="The parcel is lost")
        os.killpg(sleeper.process.pid, signal.SIGCONT)
        fleet.wait_for(lambda: fleet.log("worker").count("execution.fenced") == 20)
    finally:
        fleet.children["worker"] = sleeper

    assert fleet.enriched() == 0
