"""The figures that operators read, of real processes: counted once, whoever counts and is killed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.acceptance.conftest import Fleet


def completed(fleet: Fleet) -> int:
    """How many completed runs `mongoclaw stats` knows of."""
    found: dict[str, Any] = json.loads(fleet.cli("stats", "--json").stdout)
    return int(found["total"]["completed"])


@pytest.mark.timeout(300)  # figures are up to 40 s behind, and this waits for them twice
def test_runs_are_counted_once_by_the_watcher_that_leads_and_by_the_one_that_takes_over(fleet: Fleet) -> None:
    fleet.publish()
    fleet.start()
    fleet.insert(5)
    fleet.wait_for(lambda: completed(fleet) == 5, seconds=100)

    fleet.kill("watcher")
    fleet.start_watcher("another")
    fleet.insert(3, start=10)
    fleet.wait_for(lambda: completed(fleet) >= 8, seconds=100)

    found = json.loads(fleet.cli("stats", "--by", "hour", "--json").stdout)
    assert found["total"]["completed"] == 8
    assert found["total"]["model_calls"] == fleet.model.calls()["total"]
    assert sum(hour["completed"] for hour in found["hours"]) == 8
    assert found["live"]["agents"] == []
