"""The watcher's own address, and what it measures of real servers."""

from __future__ import annotations

import json
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from bson import Timestamp
from pymongo import MongoClient
from structlog.testing import capture_logs

from executions_app.metrics.endpoint import Endpoint, open_endpoint
from tests.conditions import eventually
from watcher.observing.gauges import Gauges
from watcher.observing.observer import Observation, Observer
from watcher.observing.oplog import ServerClock, read_clock, read_oplog
from watcher.observing.readiness import Led, Readiness, Standing, Vital
from watcher.reading.status import StreamState, StreamStatus

LOOPBACK = "127.0.0.1"
SETTING = "MONGOCLAW_WATCHER__METRICS_PORT"


class Watched:
    """An endpoint over answers that the test chooses."""

    def __init__(self) -> None:
        self.readiness: Readiness | None = Readiness(Standing.STANDBY)
        self.endpoint = Endpoint(LOOPBACK, 0, metrics=lambda: b"# nothing\n", readiness=self._answer)

    def _answer(self) -> Readiness:
        assert self.readiness is not None
        return self.readiness

    def get(self, path: str) -> tuple[int, bytes]:
        return fetch(self.endpoint.port, path)


def fetch(port: int, path: str) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(f"http://{LOOPBACK}:{port}{path}", timeout=5) as reply:
            return reply.status, reply.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


@pytest.fixture
def watched() -> Iterator[Watched]:
    made = Watched()
    yield made
    made.endpoint.close()


def test_a_standby_is_ready_and_says_so(watched: Watched) -> None:
    status, body = watched.get("/health/ready")
    assert (status, json.loads(body)) == (200, {"status": "standby", "reasons": []})


def test_a_watcher_that_does_not_do_its_work_is_503_with_the_reasons(watched: Watched) -> None:
    watched.readiness = Readiness(Standing.NOT_READY, ("stream shop is broken",))
    status, body = watched.get("/health/ready")
    assert (status, json.loads(body)) == (503, {"status": "not_ready", "reasons": ["stream shop is broken"]})
    assert watched.get("/health/live")[0] == 200


def test_it_answers_for_metrics_and_for_nothing_else(watched: Watched) -> None:
    assert watched.get("/metrics?name=x") == (200, b"# nothing\n")
    assert watched.get("/admin/")[0] == 404


def test_a_mistake_of_ours_is_500_and_does_not_end_it(watched: Watched) -> None:
    watched.readiness = None
    assert watched.get("/health/ready")[0] == 500
    watched.readiness = Readiness(Standing.LEADING)
    assert watched.get("/health/ready")[0] == 200


def test_a_client_that_says_nothing_blocks_nobody(watched: Watched) -> None:
    with socket.create_connection((LOOPBACK, watched.endpoint.port)):
        assert watched.get("/health/live")[0] == 200


def test_a_taken_port_is_a_warning_that_names_the_setting_and_no_failure(watched: Watched) -> None:
    with capture_logs() as logs:
        port = watched.endpoint.port
        opened = open_endpoint(LOOPBACK, port, setting=SETTING, metrics=bytes, readiness=watched._answer)
    assert opened is None
    assert [line["log_level"] for line in logs] == ["warning"]
    assert SETTING in logs[0]["remedy"]


def test_port_0_opens_nothing() -> None:
    standby = Readiness(Standing.STANDBY)
    assert open_endpoint(LOOPBACK, 0, setting=SETTING, metrics=bytes, readiness=lambda: standby) is None


def test_the_window_is_that_of_the_servers_own_oplog(mongo: MongoClient[dict[str, Any]]) -> None:
    oplog = read_oplog(mongo)
    assert oplog is not None
    entries = mongo["local"]["oplog.rs"]
    times = [entry["ts"] for entry in entries.find({}, {"ts": 1}, sort=[("$natural", 1)], limit=1)]
    assert oplog.first == times[0]
    newest = entries.find_one({}, {"ts": 1}, sort=[("$natural", -1)])
    assert newest is not None
    assert 0 <= newest["ts"].time - oplog.last.time <= 30
    assert 0 < oplog.size <= oplog.limit


def test_the_clock_is_the_servers_and_not_this_hosts(mongo: MongoClient[dict[str, Any]]) -> None:
    clock = read_clock(mongo, monotonic=100.0)
    local = mongo.admin.command("hello")["localTime"].timestamp()
    assert clock.members
    assert -1 < local - clock.now(100.0) < 30


def server_time(mongo: MongoClient[dict[str, Any]]) -> float:
    """The primary's clock, in seconds since 1970."""
    return float(mongo.admin.command("hello")["localTime"].timestamp())


def test_the_metrics_agree_with_what_is_measured(mongo: MongoClient[dict[str, Any]]) -> None:
    position = Timestamp(int(server_time(mongo)) - 40, 1)
    observer = Observer(mongo, lambda: {"shop": position}, monotonic=time.monotonic, interval=0.05)
    status = StreamStatus(state=StreamState.WAITING, polled_at=time.monotonic() - 60, time=position)
    vital = Vital(streams={"shop": Led(since=0.0, term=1, status=status)})
    gauges = Gauges(lambda: vital, lambda: observer.seen, patience=5, monotonic=time.monotonic)
    endpoint = Endpoint(LOOPBACK, 0, metrics=gauges.written, readiness=lambda: Readiness(Standing.LEADING))
    observer.start()
    try:
        eventually(lambda: observer.seen is not None)
        text = fetch(endpoint.port, "/metrics")[1].decode()
        passed = server_time(mongo) - position.time
        oplog = read_oplog(mongo)
    finally:
        observer.stop()
        endpoint.close()
    samples = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    assert abs(float(samples['mongoclaw_stream_position_age_seconds{stream="shop"}']) - passed) < 5
    assert abs(float(samples['mongoclaw_stream_lag_seconds{stream="shop"}']) - passed) < 5
    assert oplog is not None
    left = float(samples['mongoclaw_time_to_history_lost_seconds{stream="shop"}'])
    if position.time < oplog.first.time:
        assert left == 0
    else:
        assert left >= position.time - oplog.first.time


def test_what_a_server_that_is_away_had_said_is_forgotten() -> None:
    nobody: MongoClient[dict[str, Any]] = MongoClient("mongodb://127.0.0.1:9", serverSelectionTimeoutMS=50)
    observer = Observer(nobody, dict, monotonic=time.monotonic, interval=0.05)
    observer.seen = Observation(clock=ServerClock(wall=1.0, monotonic=1.0))
    with nobody:
        observer.start()
        eventually(lambda: observer.seen is None)
        observer.stop()
        observer.join(10)
    assert not observer.is_alive()
