from __future__ import annotations

import click
import pytest

from mongoclaw_project.cli.progress import WIDTH, Rate, bar, left_text, rate_text
from mongoclaw_project.cli.rate import RATE


def test_a_bar_is_as_full_as_the_share() -> None:
    assert bar(0.0).count("█") == 0
    assert bar(0.5).count("█") == WIDTH // 2
    assert bar(1.0).endswith("100%")
    assert bar(None).endswith("?")


def test_a_rate_follows_what_is_seen() -> None:
    rate = Rate()
    rate.look(0, monotonic=0.0)
    assert rate.per_second is None
    rate.look(100, monotonic=1.0)
    assert rate.per_second == 100
    rate.look(100, monotonic=2.0)
    assert rate_text(rate.per_second) == "70/s"


@pytest.mark.parametrize(
    ("total", "done", "rate", "text"),
    [
        (100, 40, 10.0, "ETA 0:00:06"),
        (10_000, 0, 1.0, "ETA 2:46:40"),
        (None, 5, 1.0, "ETA -"),
        (100, 40, 0.0, "ETA -"),
        (100, 140, 1.0, "ETA -"),
    ],
)
def test_the_time_that_is_left_is_told_where_it_can_be(
    total: int | None, done: int, rate: float, text: str
) -> None:
    assert left_text(total, done, rate) == text


@pytest.mark.parametrize(
    ("text", "rate"), [("50", 50.0), ("50/s", 50.0), ("90/m", 1.5), ("7200/h", 2.0), (" 0.5 / s", 0.5)]
)
def test_a_rate_is_read_with_its_unit(text: str, rate: float) -> None:
    assert RATE.convert(text, None, None) == rate


@pytest.mark.parametrize("text", ["", "0", "-1/s", "fast", "5/day", "inf", "nan"])
def test_what_is_no_rate_is_refused(text: str) -> None:
    with pytest.raises(click.UsageError):
        RATE.convert(text, None, None)
