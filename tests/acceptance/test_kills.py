"""SIGKILL, lost brokers and locked databases: nothing lost, nothing doubled."""

from __future__ import annotations

import os
import signal
import sqlite3
import threading
from contextlib import closing

import pytest
from redis import Redis

from sandbox.embedded import start_valkey
from tests.acceptance.conftest import ON_RABBITMQ_TOO, Fleet

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
        lambda: fleet.count("SELECT count(*) FROM executions_app_execution WHERE status = 'queued'") > 200
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
