from __future__ import annotations

from datetime import UTC, datetime

import pytest
from bson import Timestamp

from executions_app.moment import MomentInvalid
from mongoclaw_project.cli.moment import lasting
from mongoclaw_project.cluster_moment import as_json, parse, parse_end, shown

NOW = datetime(2026, 11, 21, 2, 15, tzinfo=UTC)
SECONDS = int(NOW.timestamp())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-21T02:15:00Z", Timestamp(SECONDS, 1)),
        ("2026-11-21T02:15:00", Timestamp(SECONDS, 1)),
        ("2026-11-21 03:15:00+01:00", Timestamp(SECONDS, 1)),
        ("2026-11-21", Timestamp(SECONDS - 8_100, 1)),
        ("-2h", Timestamp(SECONDS - 7_200, 1)),
        ("2h", Timestamp(SECONDS - 7_200, 1)),
        ("-1d2h3m4s", Timestamp(SECONDS - 93_784, 1)),
        (f"{SECONDS}:7", Timestamp(SECONDS, 7)),
        (f"Timestamp({SECONDS}, 7)", Timestamp(SECONDS, 7)),
        (f"{SECONDS:08x}00000007", Timestamp(SECONDS, 7)),
    ],
)
def test_a_moment_is_understood_in_every_form(text: str, expected: Timestamp) -> None:
    assert parse(text, now=NOW) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-21T02:15:00Z", Timestamp(SECONDS, 2**32 - 1)),
        ("-2h", Timestamp(SECONDS - 7_200, 2**32 - 1)),
        (f"{SECONDS}:1", Timestamp(SECONDS, 1)),
        (f"{SECONDS:08x}00000001", Timestamp(SECONDS, 1)),
    ],
)
def test_all_of_the_last_second_belongs_to_a_range_unless_its_end_is_a_cluster_time(
    text: str, expected: Timestamp
) -> None:
    assert parse_end(text, now=NOW) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "2 h",
        "-2",
        "-2w",
        "--2h",
        "9999999999:1",
        "1969-12-31",
        "-99999999999d",
        "3000-01-01",
    ],
)
def test_what_is_no_moment_is_refused_with_what_is(text: str) -> None:
    with pytest.raises(MomentInvalid):
        parse(text, now=NOW)


def test_what_is_printed_is_read_back_exactly() -> None:
    time = Timestamp(SECONDS, 12)
    assert parse(str(as_json(time)), now=NOW) == time
    assert shown(time) == "2026-11-21 02:15:00"
    assert (shown(None), as_json(None)) == (None, None)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (None, None),
        (0, "0 s"),
        (0.25, "250 ms"),
        (59.6, "1 min"),
        (61, "1 min 1 s"),
        (3_600, "1 h"),
        (12_000, "3 h 20 min"),
        (90_061, "1 d 1 h"),
    ],
)
def test_a_duration_is_told_in_its_two_largest_units(seconds: float | None, expected: str | None) -> None:
    assert lasting(seconds) == expected
