"""Everything is killed at random while documents change in every way; then all of it is held against the oplog.

`make faults` kills 200 times. `KILLS=500 SEED=7 make faults` chooses for itself; the seed is printed.
"""

from __future__ import annotations

import json
import os
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tests.acceptance.conftest import Fleet
from tests.acceptance.model.conftest import Stage
from tests.acceptance.model.judge import Ledger, Verdict, judge, unanswered, unmoved
from tests.acceptance.model.killers import Killer
from tests.acceptance.model.witness import now_of, read_history
from tests.acceptance.model.writers import Upheaval, Writer

SEED = int(os.environ.get("SEED", "0")) or random.SystemRandom().randrange(1, 10**6)
WRITERS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """How hard a run is. Times in seconds."""

    kills: int
    keys: int
    longest_pause: float
    between_upheavals: float
    drain: float


@pytest.mark.timeout(240)
def test_a_dozen_random_kills_lose_nothing_and_double_nothing(stage: Stage) -> None:
    run = Run(kills=12, keys=5, longest_pause=1.5, between_upheavals=4, drain=90)
    assert storm(stage, run).findings() == {}


@pytest.mark.faults
@pytest.mark.timeout(3600)
def test_hundreds_of_random_kills_lose_nothing_and_double_nothing(stage: Stage) -> None:
    kills = int(os.environ.get("KILLS", "200"))
    run = Run(kills=kills, keys=20, longest_pause=4, between_upheavals=6, drain=300)
    assert storm(stage, run).findings() == {}


def storm(stage: Stage, run: Run) -> Verdict:
    """Write and kill, let it drain, and judge."""
    print(f"\nseed {SEED}, {run.kills} kills", flush=True)
    fleet = stage.fleet
    fleet.model.set_latency("20-200")
    since = now_of(fleet.mongo)
    killer = Killer(fleet, stage.mongods, seed=SEED)
    writers, upheaval, stop = _start_writing(fleet, run)
    try:
        while killer.kills < run.kills:
            killer.pause(run.longest_pause)
            killer.strike()
    finally:
        stop.set()
        killer.wake_all()
    for thread in (*writers, upheaval):
        thread.join(60)
    stage.mongods.wait_until_whole()
    _drain(fleet, run.drain)
    history = read_history(fleet.mongo, since, home=fleet.environ["MONGOCLAW_MONGODB__DATABASE"])
    _wait(fleet, lambda: not unmoved(fleet, history), seconds=30)
    acknowledged = set().union(*(writer.memory.acknowledged for writer in writers))
    verdict = judge(fleet, history, acknowledged)
    verdict.positions.extend(f"{name} does not move on" for name in unmoved(fleet, history))
    _report(killer, upheaval, verdict, events=len(history.changes))
    return verdict


def _start_writing(fleet: Fleet, run: Run) -> tuple[list[Writer], Upheaval, threading.Event]:
    stop = threading.Event()
    writers = [Writer(number, fleet.mongo, seed=SEED, keys=run.keys, stop=stop) for number in range(WRITERS)]
    upheaval = Upheaval(fleet.mongo, seed=SEED, seconds=run.between_upheavals, stop=stop)
    for thread in (*writers, upheaval):
        thread.start()
    return writers, upheaval, stop


def _drain(fleet: Fleet, seconds: float) -> None:
    """Wait for the right end; what is wrong after the deadline is for the judge to name."""

    def at_rest() -> bool:
        if fleet.unfinished():
            return False
        return not any(unanswered(fleet.mongo, Ledger.read(fleet).answers))

    _wait(fleet, at_rest, seconds=seconds)


def _wait(fleet: Fleet, condition: Callable[[], bool], *, seconds: float) -> None:
    try:
        fleet.wait_for(condition, seconds=seconds)
    except AssertionError as error:
        print(f"not at rest: {error}; unfinished rows: {fleet.unfinished()}", flush=True)


def _report(killer: Killer, upheaval: Upheaval, verdict: Verdict, *, events: int) -> None:
    print(json.dumps({"struck": killer.struck, "upheavals": len(upheaval.done), "events": events}))
    figures = {
        "kills": killer.kills,
        "documents": verdict.documents,
        "lost": len(verdict.lost),
        "doubled": len(verdict.doubled),
        "stale": len(verdict.stale),
        "disordered": len(verdict.disordered),
        "extra_calls": verdict.extra_calls,
        "seed": SEED,
    }
    print(json.dumps(figures), flush=True)
    print(json.dumps(verdict.findings(), indent=1), flush=True)
