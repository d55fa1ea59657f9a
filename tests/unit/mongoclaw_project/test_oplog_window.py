from __future__ import annotations

from datetime import timedelta

import pytest
from bson import Timestamp

from mongoclaw_project.cli.doctor.mongodb import judged
from watcher.observing.oplog import Oplog

DAY = timedelta(hours=24)


def oplog(hours: float, *, full: bool = True) -> Oplog:
    end = Timestamp(1_795_000_000, 1)
    first = Timestamp(end.time - int(hours * 3600), 1)
    return Oplog(first=first, last=end, size=950 if full else 500, limit=1_000)


@pytest.mark.parametrize(
    ("found", "wanted", "level"),
    [
        (oplog(30), DAY, "ok"),
        (oplog(30), timedelta(hours=72), "warn"),
        (oplog(5), DAY, "warn"),
        (oplog(0.5), DAY, "fail"),
        (oplog(0.5, full=False), DAY, "ok"),
        (None, DAY, "warn"),
    ],
)
def test_the_oplog_is_held_against_how_long_watchers_may_be_away(
    found: Oplog | None, wanted: timedelta, level: str
) -> None:
    [finding] = judged(found, wanted)
    assert finding.level == level
    assert level == "ok" or finding.remedy
