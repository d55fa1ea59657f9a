"""A short storm: everything is struck at random while documents change, and then all of it is held to account.

`make faults` is the long one: `KILLS=1000 SEED=7 make faults` chooses for itself.
"""

from __future__ import annotations

import os
import random
from contextlib import closing
from pathlib import Path

import pytest

from tests.acceptance.storm.journal import Journal
from tests.acceptance.storm.stage import Stage
from tests.acceptance.storm.storm import Run, storm

SEED = int(os.environ.get("SEED", "0")) or random.SystemRandom().randrange(1, 10**6)


@pytest.mark.timeout(400)
def test_some_random_kills_cuts_and_failures_loses_and_doubles_nothing(stage: Stage, tmp_path: Path) -> None:
    run = Run(seed=SEED, kills=30, keys=5, longest_pause=2, between_upheavals=8, longest=40, drain=150)
    with closing(Journal(tmp_path / "faults.jsonl")) as journal:
        outcome = storm(stage, run, journal)
    assert outcome.kills
    assert outcome.verdict.is_sound, "\n".join(
        [f"SEED={SEED}, faults and logs in {tmp_path}", *outcome.verdict.shown()]
    )
