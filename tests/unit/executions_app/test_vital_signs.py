"""Telling the living from the silent, whatever their clocks say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from executions_app.vital_signs import Sign, VitalSigns

NOON = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)
PATIENCE = 6.0


class Worker:
    """A process whose clock is off by so many seconds, and that beats each second until it stops."""

    def __init__(self, off: float = 0.0) -> None:
        self.off = off
        self.stopped_at: float | None = None

    def sign(self, now: float) -> Sign:
        last = now if self.stopped_at is None else min(now, self.stopped_at)
        beat_at = NOON + timedelta(seconds=int(last) + self.off)
        return Sign("w", "worker", "box", 1, 8, int(last), beat_at)


def lives(seen: VitalSigns, worker: Worker, at: float) -> bool:
    return bool(seen.living([worker.sign(at)], now=NOON + timedelta(seconds=at)))


@pytest.mark.parametrize("off", [0.0, -300.0, 300.0])
def test_a_process_that_stops_is_silent_after_its_patience_whatever_its_clock(off: float) -> None:
    seen, worker = VitalSigns(PATIENCE), Worker(off)
    for at in range(1, 10):
        lives(seen, worker, at)
    assert lives(seen, worker, 10)
    worker.stopped_at = 10.0
    assert lives(seen, worker, 16)
    assert not lives(seen, worker, 17.5)
    worker.stopped_at = None
    assert lives(seen, worker, 30)


def test_a_look_in_ten_seconds_is_enough() -> None:
    seen, worker = VitalSigns(PATIENCE), Worker()
    for at in (0, 10, 20):
        assert lives(seen, worker, at)
    worker.stopped_at = 21.0
    assert not lives(seen, worker, 30)


@pytest.mark.parametrize(("silent", "expected"), [(11, True), (13, False), (3600, False)])
def test_one_that_is_seen_for_the_first_time_may_be_silent_for_twice_as_long(
    silent: float, expected: bool
) -> None:
    worker = Worker()
    worker.stopped_at = 0.0
    assert lives(VitalSigns(PATIENCE), worker, silent) is expected


def test_a_clock_that_is_far_off_is_learnt_from_two_looks() -> None:
    seen, worker = VitalSigns(PATIENCE), Worker(-300.0)
    assert not lives(seen, worker, 0)
    assert lives(seen, worker, 2)
