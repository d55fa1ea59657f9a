from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from executions_app.templatetags import console_figures as figures

NOW = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (None, figures.UNKNOWN),
        (0, "0 s"),
        (0.4, "0 ms"),
        (999.4, "999 ms"),
        (999.6, "1.00 s"),
        (1_240, "1.24 s"),
        (12_300, "12.3 s"),
        (59_990, "60.0 s"),
        (60_000, "1 min"),
        (185_000, "3 min 5 s"),
        (3_600_000 * 25, "1 d 1 h"),
    ],
)
def test_durations_are_short(milliseconds: float | None, text: str) -> None:
    assert figures.lasting(milliseconds) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (None, figures.UNKNOWN),
        (0, "0"),
        (12_345, "12,345"),
        (123_456, "123 k"),
        (1_234_567, "1.2 M"),
        (4.25, "4.2"),
    ],
)
def test_numbers_fit_their_column(number: float | None, text: str) -> None:
    assert figures.grouped(number) == text


@pytest.mark.parametrize(
    ("nanousd", "text"),
    [
        (None, figures.UNKNOWN),
        (0, "$0.00"),
        (412_500, "$0.0004"),
        (10_000_000, "$0.01"),
        (1_234_560_000_000, "$1,234.56"),
    ],
)
def test_prices_below_a_cent_keep_four_digits(nanousd: int | None, text: str) -> None:
    assert figures.money(nanousd) == text


def test_an_age_is_in_whole_seconds_and_never_negative() -> None:
    assert figures.since(NOW - timedelta(seconds=3, milliseconds=400), NOW) == "3 s"
    assert figures.since(NOW + timedelta(seconds=9), NOW) == "0 s"
    assert figures.since(NOW - timedelta(minutes=2, seconds=5), NOW) == "2 min 5 s"
    assert figures.since(None, NOW) == figures.UNKNOWN
