from __future__ import annotations

from bson import Timestamp

from watcher.observing.oplog import Oplog, ServerClock, seconds_to_loss

FULL = Oplog(first=Timestamp(10_000, 1), last=Timestamp(13_600, 1), size=1_000, limit=1_000)


def test_a_position_is_lost_when_the_oplog_has_dropped_what_follows_it() -> None:
    assert seconds_to_loss(FULL, Timestamp(9_999, 1)) == 0
    assert seconds_to_loss(FULL, Timestamp(13_600, 1)) == 3_600


def test_a_quick_pace_shortens_the_time_and_a_slow_one_does_not_lengthen_it() -> None:
    assert seconds_to_loss(FULL, Timestamp(13_600, 1), pace=4) == 900
    assert seconds_to_loss(FULL, Timestamp(13_600, 1), pace=0.1) == 3_600


def test_an_oplog_that_still_grows_drops_nothing_before_it_is_full() -> None:
    young = Oplog(first=Timestamp(10_000, 1), last=Timestamp(10_060, 1), size=100, limit=1_000)
    assert young.headroom == 540
    assert seconds_to_loss(young, Timestamp(10_060, 1)) == 600


def test_without_known_sizes_the_oplog_counts_as_full() -> None:
    assert Oplog(first=Timestamp(1, 1), last=Timestamp(9, 1)).headroom == 0


def test_the_servers_time_goes_on_with_the_monotonic_clock() -> None:
    assert ServerClock(wall=50.0, monotonic=7.0).now(9.5) == 52.5
