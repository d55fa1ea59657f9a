"""What watchers say of themselves over HTTP, against what is measured from outside."""

from __future__ import annotations

import json
import sqlite3
import urllib.error
import urllib.request
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from sandbox.embedded.ports import reserved_port
from tests.acceptance.conftest import Fleet

PATIENCE = 2.0


@dataclass(frozen=True)
class Endpoint:
    """The address of one watcher."""

    port: int

    def ready(self) -> tuple[int, dict[str, Any]]:
        """What `/health/ready` says; (0, {}) while nobody answers."""
        try:
            status, body = self._get("/health/ready")
        except OSError:
            return 0, {}
        return status, json.loads(body)

    def value(self, name: str, /, **labels: str) -> float | None:
        """One sample of `/metrics`, or None where there is none."""
        text = self._get("/metrics")[1].decode()
        samples = (sample for family in text_string_to_metric_families(text) for sample in family.samples)
        return next((one.value for one in samples if (one.name, one.labels) == (name, labels)), None)

    def lag(self, stream: str) -> float | None:
        """The lag of a stream, if this watcher knows it."""
        return self.value("mongoclaw_stream_lag_seconds", stream=stream)

    def _get(self, path: str) -> tuple[int, bytes]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as reply:
                return reply.status, reply.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()


def start(fleet: Fleet, name: str) -> Endpoint:
    """Start a watcher with an address of its own; returns when it answers."""
    with reserved_port(fleet.directory / f"{name}.port") as port:
        fleet.environ |= {
            "MONGOCLAW_WATCHER__METRICS_PORT": str(port),
            "MONGOCLAW_WATCHER__UNPOLLED_SECONDS": str(PATIENCE),
        }
        fleet.start_module(name, "watcher")
        endpoint = Endpoint(port)
        fleet.wait_for(lambda: endpoint.ready()[0])
    return endpoint


def test_lag_and_readiness_say_what_is_measured_while_the_ledger_holds_the_stream_up(
    fleet: Fleet, tmp_path: Path
) -> None:
    url = fleet.environ["MONGOCLAW_DATABASE__URL"]
    if not url.startswith("sqlite:"):
        pytest.skip("the ledger is locked as SQLite is locked")
    fleet.publish()
    watcher, stream = start(fleet, "watcher"), fleet.db.name
    fleet.wait_for(lambda: watcher.lag(stream) == 0)
    fleet.wait_for(lambda: watcher.ready() == (200, {"status": "leading", "reasons": []}))
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)) as lock:
        lock.execute("BEGIN EXCLUSIVE")
        unread_since = fleet.mongo.admin.command("ping")["operationTime"].time
        fleet.insert(1)
        fleet.wait_for(lambda: watcher.ready()[0] == 503)
        assert f"stream {stream} has not been polled for" in watcher.ready()[1]["reasons"][0]
        fleet.wait_for(lambda: (watcher.lag(stream) or 0) > PATIENCE + 1)
        lag, now = watcher.lag(stream), fleet.mongo.admin.command("hello")["localTime"].timestamp()
        assert lag is not None
        assert abs(lag - (now - unread_since)) <= 2.5
        lock.execute("ROLLBACK")
    fleet.wait_for(lambda: watcher.lag(stream) == 0)
    fleet.wait_for(lambda: watcher.ready()[0] == 200)
    assert watcher.value("mongoclaw_lease_term", name=f"stream:{stream}") == 1
    events = "mongoclaw_stream_events_total"
    fleet.wait_for(lambda: watcher.value(events, stream=stream, outcome="matched") == 1)
    fleet.wait_for(lambda: watcher.value("mongoclaw_publish_seconds_count"))
    # The oldest event of the publication had waited for the ledger; its time is that of a whole second.
    assert (watcher.value("mongoclaw_commit_to_broker_seconds_sum") or 0) > PATIENCE - 1


def test_the_series_of_a_stream_move_with_it_and_a_standby_is_ready_without_any(fleet: Fleet) -> None:
    fleet.publish()
    stream = fleet.db.name
    first = start(fleet, "first")
    fleet.wait_for(lambda: first.lag(stream) == 0)
    second = start(fleet, "second")
    fleet.wait_for(lambda: second.ready()[0] == 200)
    assert second.lag(stream) is None
    fleet.db.tickets.insert_one({"text": "one"})
    fleet.kill("first")
    fleet.wait_for(lambda: second.lag(stream) == 0)
    assert second.ready() == (200, {"status": "leading", "reasons": []})
    # The lease's term has grown with the change of its holder.
    assert (second.value("mongoclaw_lease_term", name=f"stream:{stream}") or 0) > 1


def test_a_stream_that_is_given_up_leaves_no_series_and_a_paused_one_is_ready(fleet: Fleet) -> None:
    fleet.publish()
    stream = fleet.db.name
    watcher = start(fleet, "watcher")
    fleet.wait_for(lambda: watcher.lag(stream) == 0)
    fleet.wait_for(
        lambda: watcher.value("mongoclaw_stream_position_age_seconds", stream=stream) is not None, seconds=30
    )
    assert (watcher.value("mongoclaw_time_to_history_lost_seconds", stream=stream) or 0) >= 0
    fleet.cli("streams", "pause", stream)
    assert watcher.ready()[0] == 200
    fleet.cli("streams", "resume", stream)
    fleet.wait_for(lambda: watcher.lag(stream) == 0)
    fleet.cli("agents", "disable", "support")
    fleet.wait_for(lambda: watcher.lag(stream) is None)
    assert watcher.value("mongoclaw_stream_position_age_seconds", stream=stream) is None
    assert watcher.value("mongoclaw_lease_term", name=f"stream:{stream}") is None
    assert watcher.ready()[0] == 200
