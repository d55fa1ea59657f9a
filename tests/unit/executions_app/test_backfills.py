from __future__ import annotations

import math
from datetime import UTC, datetime

import pytest

from agents_app.errors import SpecInvalid
from executions_app.backfill_transitions import FROM
from executions_app.backfills import Progress, wish
from executions_app.models import Backfill, BackfillStatus


def test_a_filter_is_read_as_extended_json_and_written_back_the_same() -> None:
    asked = wish("a", filter_={"at": {"$gte": {"$date": "2026-01-01T00:00:00Z"}}})
    assert asked.filter == {"at": {"$gte": datetime(2026, 1, 1, tzinfo=UTC)}}
    assert asked.filter_text == '{"at": {"$gte": {"$date": "2026-01-01T00:00:00Z"}}}'
    assert wish("a", filter_={}).filter_text == ""


@pytest.mark.parametrize(
    ("values", "place"),
    [
        ({"limit": 0}, "limit"),
        ({"limit": 1.5}, "limit"),
        ({"limit": True}, "limit"),
        ({"rate": 0}, "rate"),
        ({"rate": math.inf}, "rate"),
        ({"rate": math.nan}, "rate"),
        ({"rate": "5"}, "rate"),
        ({"filter_": "text"}, "filter"),
        ({"filter_": {"a": {"$oid": "x"}}}, "filter"),
        ({"filter_": {"a": {"$where": "1"}}}, "filter.a.$where"),
    ],
)
def test_what_cannot_be_is_refused_with_its_place(values: dict[str, object], place: str) -> None:
    with pytest.raises(SpecInvalid) as refused:
        wish("a", **values)
    assert [problem.path for problem in refused.value.errors] == [place]


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(SpecInvalid) as refused:
        wish("a", filter_=[], limit=-1, rate=-1)
    assert [problem.path for problem in refused.value.errors] == ["filter", "limit", "rate"]


@pytest.mark.parametrize(
    ("row", "read", "recorded", "share"),
    [
        ({"estimate": 100}, 25, 25, 0.25),
        ({"estimate": 100}, 250, 0, 1.0),
        ({"estimate": 1_000, "limit": 10}, 50, 5, 0.5),
        ({"estimate": None}, 5, 5, None),
        ({"estimate": 0}, 0, 0, None),
        ({"estimate": 0, "status": BackfillStatus.COMPLETED}, 0, 0, 1.0),
    ],
)
def test_the_share_that_is_done_goes_by_the_estimate_or_the_limit(
    row: dict[str, object], read: int, recorded: int, share: float | None
) -> None:
    assert Progress(read, recorded, 0, 1, 0).share(Backfill(**row)) == share


def test_nothing_comes_back_from_an_end() -> None:
    ends = {BackfillStatus.COMPLETED, BackfillStatus.CANCELLED, BackfillStatus.FAILED}
    assert not any(ends.intersection(before) for before in FROM.values())
