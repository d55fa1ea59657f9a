"""Health tells the truth: each process and server that is killed or stopped turns it red, with the reason, and back."""

from __future__ import annotations

import os
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from sandbox.embedded import start_mongod
from sandbox.embedded.server import RunningServer
from tests.acceptance.conftest import Fleet
from tests.acceptance.observing import Address, start_web
from tests.conditions import eventually

SECONDS = 15.0
"""The longest that a failure may stay unseen, with the settings as they are delivered."""


@pytest.fixture
def own_mongod(fleet: Fleet, tmp_path: Path) -> Iterator[RunningServer]:
    """A MongoDB that a test may stop: others share the usual one."""
    mongod = start_mongod(tmp_path / "mongod")
    fleet.environ["MONGOCLAW_MONGODB__URI"] = mongod.url
    try:
        yield mongod
    finally:
        mongod.kill()


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """SIGSTOP, and SIGCONT in the end."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def red(web: Address, component: str, reason: str) -> None:
    """Wait until the web server is not ready because of a component, and says why."""
    eventually(
        lambda: (found := web.health())[0] == 503 and reason in found[1].get(component, ""),
        seconds=SECONDS,
        every=0.3,
    )


def green(web: Address) -> None:
    """Wait until everything is well again."""
    eventually(lambda: web.health() == (200, {}), seconds=60, every=0.3)


@pytest.mark.timeout(300)  # five failures, each seen only after the patience with it
def test_whatever_is_killed_or_stopped_turns_readiness_red_within_15_seconds_and_it_recovers(
    fleet: Fleet, own_mongod: RunningServer
) -> None:
    for name in ("HEARTBEAT_SECONDS", "HEARTBEAT_TIMEOUT_SECONDS"):
        del fleet.environ[f"MONGOCLAW_WORKER__{name}"]
    del fleet.environ["MONGOCLAW_WATCHER__LEASE_SECONDS"]
    fleet.publish()
    web = start_web(fleet)
    red(web, "workers", "no process shows signs of life")
    watcher = fleet.start_watcher()
    fleet.start_worker()
    green(web)

    fleet.kill("worker")
    red(web, "workers", "no process shows signs of life")
    fleet.start_worker()
    green(web)

    with stopped(watcher.process.pid):
        red(web, "streams", "no watcher reads it")
        red(web, "watcher", "no process shows signs of life")
    green(web)
    with stopped(fleet.broker.pid):
        red(web, "redis", "cannot be reached")
    green(web)
    with stopped(own_mongod.pid):
        red(web, "mongodb", "cannot be reached")
    green(web)
    with _locked_ledger(fleet.environ["MONGOCLAW_DATABASE__URL"]):
        red(web, "workers", "no process shows signs of life")
    green(web)
    done = fleet.cli("health", check=False)
    assert (done.returncode, done.stdout.count("healthy\n")) == (0, 6), done.stdout


@contextmanager
def _locked_ledger(url: str) -> Iterator[None]:
    """Let nobody write to SQLite. A PostgreSQL that others share is left alone."""
    if not url.startswith("sqlite:"):
        pytest.skip("the last part is for SQLite")
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None, timeout=20)) as lock:
        lock.execute("BEGIN EXCLUSIVE")
        yield
        lock.execute("ROLLBACK")
