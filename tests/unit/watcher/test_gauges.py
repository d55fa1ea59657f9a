from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from bson import Timestamp
from prometheus_client.parser import text_string_to_metric_families

from watcher.observing.gauges import Gauges
from watcher.observing.observer import Observation
from watcher.observing.oplog import Oplog, ServerClock
from watcher.observing.readiness import Led, Vital
from watcher.reading.status import StreamState, StreamStatus

NOW = 1_000.0
WALL = 50_000.0
SEEN = Observation(
    clock=ServerClock(wall=WALL, monotonic=NOW, members="rs0"),
    oplog=Oplog(first=Timestamp(46_400, 1), last=Timestamp(50_000, 1), size=9, limit=9),
    positions={"shop": Timestamp(49_997, 1)},
)
LIVE = StreamStatus(state=StreamState.LIVE, polled_at=NOW - 0.2, time=Timestamp(49_999, 1), lag_seconds=0.0)


class Process:
    """What a watcher would say of itself."""

    def __init__(self) -> None:
        self.vital = Vital()
        self.seen: Observation | None = SEEN
        self.now = NOW
        self.gauges = Gauges(
            lambda: self.vital,
            lambda: self.seen,
            patience=5.0,
            monotonic=lambda: self.now,
        )

    def lead(self, status: StreamStatus, *, stream: str = "shop") -> None:
        led = Led(since=NOW - 100, term=4, status=status)
        self.vital = Vital(streams={stream: led}, terms={f"stream:{stream}": 4})

    def value(self, name: str, /, **labels: str) -> float | None:
        """One sample as Prometheus reads it, or None where there is none."""
        for family in text_string_to_metric_families(self.gauges.written().decode()):
            for sample in family.samples:
                if sample.name == name and sample.labels == labels:
                    return sample.value
        return None

    def lag(self) -> float | None:
        return self.value("mongoclaw_stream_lag_seconds", stream="shop")


@pytest.fixture
def process() -> Iterator[Process]:
    made = Process()
    yield made
    made.vital, made.seen = Vital(), None
    made.gauges.written()


def test_the_lag_is_absent_until_it_is_known(process: Process) -> None:
    process.lead(StreamStatus(state=StreamState.STARTING))
    assert process.lag() is None


def test_the_lag_of_a_stream_that_is_caught_up_is_0(process: Process) -> None:
    process.lead(LIVE)
    assert process.lag() == 0


def test_the_lag_of_a_stream_that_is_not_polled_any_more_grows(process: Process) -> None:
    process.lead(LIVE)
    process.now = NOW + 60
    assert process.lag() == 61
    process.now = NOW + 90
    assert process.lag() == 91


def test_the_lag_of_a_stream_that_is_not_polled_is_unknown_without_the_servers_time(process: Process) -> None:
    process.lead(LIVE)
    process.seen, process.now = None, NOW + 60
    assert process.lag() is None


def test_a_paused_stream_falls_behind(process: Process) -> None:
    process.lead(
        StreamStatus(state=StreamState.PAUSED, polled_at=NOW, time=Timestamp(49_900, 1), lag_seconds=0.0)
    )
    assert process.lag() == 100


def test_age_and_time_to_loss_are_those_of_the_stored_position(process: Process) -> None:
    process.lead(LIVE)
    assert process.value("mongoclaw_stream_position_age_seconds", stream="shop") == 3
    assert process.value("mongoclaw_time_to_history_lost_seconds", stream="shop") == 3_597
    assert process.value("mongoclaw_oplog_window_seconds", replica_set="rs0") == 3_600


def test_a_stream_that_has_moved_to_another_watcher_leaves_no_series_behind(process: Process) -> None:
    process.lead(LIVE)
    assert process.value("mongoclaw_lease_term", name="stream:shop") == 4
    process.vital = Vital()
    text = process.gauges.written().decode()
    assert 'stream="shop"' not in "".join(line for line in text.splitlines() if "_total" not in line)
    assert process.value("mongoclaw_lease_term", name="stream:shop") is None


def test_what_needs_the_oplog_is_absent_where_it_may_not_be_read(process: Process) -> None:
    process.lead(LIVE)
    process.seen = Observation(clock=SEEN.clock, oplog=None, positions=SEEN.positions)
    assert process.value("mongoclaw_oplog_window_seconds", replica_set="rs0") is None
    assert process.value("mongoclaw_time_to_history_lost_seconds", stream="shop") is None
    assert process.value("mongoclaw_stream_position_age_seconds", stream="shop") == 3


def test_a_saturated_reader_says_so_once_that_is_known(process: Process) -> None:
    process.lead(LIVE)
    assert process.value("mongoclaw_stream_busy_ratio", stream="shop") is None

    process.lead(replace(LIVE, busy=0.97))

    assert process.value("mongoclaw_stream_busy_ratio", stream="shop") == 0.97
