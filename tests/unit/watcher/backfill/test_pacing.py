from __future__ import annotations

import pytest

from watcher.backfill.pacing import Pace


def run(pace: Pace, *, seconds: float, tick: float = 0.01) -> int:
    """Take portions whenever that is allowed; returns how many documents that were."""
    taken = 0
    for step in range(int(seconds / tick)):
        at = step * tick
        if pace.wait(at) == 0:
            portion = pace.portion(500)
            pace.spend(portion, at)
            taken += portion
    return taken


@pytest.mark.parametrize("rate", [0.5, 1, 7, 250, 10_000])
def test_a_rate_is_kept_from_the_first_second_on(rate: float) -> None:
    taken = run(Pace(rate), seconds=60)
    assert taken == pytest.approx(rate * 60, rel=0.1, abs=max(1.0, rate))


def test_without_a_rate_nobody_waits() -> None:
    pace = Pace(None)
    pace.spend(10**6, 0.0)
    assert (pace.wait(0.0), pace.portion(500)) == (0.0, 500)


def test_time_in_which_nothing_was_taken_is_not_saved_up() -> None:
    pace = Pace(10)
    pace.spend(10, 0.0)
    assert pace.wait(3600.0) == 0
    pace.spend(10, 3600.0)
    assert pace.wait(3600.0) == pytest.approx(1.0)


def test_a_wait_says_when_the_next_portion_may_be_taken() -> None:
    pace = Pace(10)
    pace.spend(5, 0.0)
    assert pace.wait(0.1) == pytest.approx(0.4)
    assert pace.wait(0.5) == pytest.approx(0.0, abs=1e-9)


def test_a_portion_is_about_a_second_of_a_rate_and_never_nothing() -> None:
    assert [Pace(rate).portion(500) for rate in (0.1, 3.7, 100_000)] == [1, 3, 500]
