from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from mongoclaw_project.cli.doctor.clocks import judged, offset

NOW = datetime(2026, 11, 21, 2, 0, tzinfo=UTC)


@pytest.mark.parametrize("ahead", [-7.0, 0.0, 2.5])
def test_the_way_to_a_server_and_back_is_no_offset(ahead: float) -> None:
    ticks = iter([NOW.timestamp(), NOW.timestamp() + 3.0])
    answer = NOW + timedelta(seconds=1.5 + ahead)
    assert offset(lambda: answer, clock=lambda: next(ticks)) == pytest.approx(ahead)


@pytest.mark.parametrize(
    ("seconds", "level", "words"),
    [
        (0.4, "ok", "agrees"),
        (-2.0, "warn", "2.0 s behind"),
        (3.0, "warn", "3.0 s ahead of"),
        (60.0, "fail", "may miss changes"),
    ],
)
def test_an_offset_is_judged_by_what_it_breaks(seconds: float, level: str, words: str) -> None:
    finding = judged("MongoDB", seconds)
    assert finding.level == level
    assert words in finding.message
