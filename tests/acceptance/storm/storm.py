"""The storm itself: write and strike, let it drain, and judge."""

from __future__ import annotations

import random
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from bson import Timestamp

from tests.acceptance.storm.account import FETCHED_EVERY, Account
from tests.acceptance.storm.agenda import Agenda
from tests.acceptance.storm.evidence import (
    Evidence,
    read_attempts,
    read_held,
    read_nobodys,
    read_rows,
    unmoved,
)
from tests.acceptance.storm.journal import Journal
from tests.acceptance.storm.judging.documents import unanswered
from tests.acceptance.storm.judging.judge import judge
from tests.acceptance.storm.judging.verdict import Verdict
from tests.acceptance.storm.killers import Killer
from tests.acceptance.storm.stage import Stage
from tests.acceptance.storm.troubles import Troublemaker
from tests.acceptance.storm.witness import History, now_of, read_history
from tests.acceptance.storm.writers import Upheaval, Writer

WRITERS: Final = 3
WEIGHTS: Final[Mapping[str, int]] = {
    "kill": 8,
    "pause": 4,
    "terminate": 4,
    "broker_killed": 2,
    "broker_emptied": 2,
    "broker_stopped": 1,
    "broker_paused": 1,
    "broker_flushed": 1,
    "mongod_killed": 2,
    "mongod_steps_down": 1,
    "stream_divided": 1,
    "line": 7,
    "model": 6,
    "ledger_locked": 2,
}
"""How often each strike comes, in relation to the others."""
PACES: Final = (0.25, 1.0, 2.5)
"""Shares of the longest pause: strikes that fall together, and time enough to bring what was done to an end."""
LATENCY: Final = "lognormal:300:1"
"""Milliseconds of a model call: some are always in the air when their worker is struck."""
_SHOWN_EVERY: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """How hard a storm is. Times in seconds; `longest` ends the striking though kills are left."""

    seed: int
    kills: int
    keys: int = 20
    longest_pause: float = 4.0
    between_upheavals: float = 12.0
    longest: float = float("inf")
    drain: float = 300.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a storm has shown."""

    run: Run
    kills: int
    documents: int
    verdict: Verdict

    def figures(self) -> dict[str, int]:
        """The line that ends a report."""
        verdict = self.verdict
        found = {
            "kills": self.kills,
            "documents": self.documents,
            "lost": len(verdict.lost),
            "doubled": len(verdict.doubled),
            "stale": len(verdict.stale),
            "extra_calls": len(verdict.extra_calls),
            "stuck": len(verdict.stuck),
            "seed": self.run.seed,
        }
        return found | ({"over_limit": len(verdict.over_limit)} if verdict.over_limit else {})


def storm(stage: Stage, run: Run, journal: Journal) -> Outcome:
    """Break over the stage. Everything is up again in the end; what is still not at rest is for the judge to name."""
    since = now_of(stage.fleet.mongo)
    stage.fleet.model.set_latency(LATENCY)
    account, agenda = Account(stage.fleet.model), Agenda()
    killer = Killer(stage, agenda, seed=run.seed)
    writers, upheaval, stop = _start_writing(stage, run, journal)
    try:
        ended = _strike(stage, run, journal, agenda, account, killer)
    finally:
        stop.set()
        agenda.finish()
    for thread in (*writers, upheaval):
        thread.join(60)
    stage.mongods.wait_until_whole()
    acknowledged = frozenset().union(*(writer.memory.acknowledged for writer in writers))
    evidence = _evidence_at_rest(stage, run, since, account, acknowledged)
    evidence = replace(evidence, ended=[*ended, *killer.restart_dead()])
    verdict = judge(evidence)
    for sentence in verdict.shown():
        journal.write(finding=sentence)
    documents = sum(len(held) for held in evidence.held.values())
    return Outcome(run, journal.kills, documents, verdict)


def _start_writing(
    stage: Stage, run: Run, journal: Journal
) -> tuple[list[Writer], Upheaval, threading.Event]:
    stop, mongo = threading.Event(), stage.fleet.mongo
    writers = [Writer(number, mongo, seed=run.seed, keys=run.keys, stop=stop) for number in range(WRITERS)]
    upheaval = Upheaval(
        mongo,
        seed=run.seed,
        seconds=run.between_upheavals,
        stop=stop,
        tell=lambda change: journal.write(upheaval=change),
    )
    for thread in (*writers, upheaval):
        thread.start()
    return writers, upheaval, stop


def _strike(
    stage: Stage, run: Run, journal: Journal, agenda: Agenda, account: Account, killer: Killer
) -> list[str]:
    """Strike until enough was killed; returns how processes ended that were not.

    A strike that finds its victim struck already is not counted.
    """
    dice = random.Random(f"{run.seed} storm")
    strikes = killer.strikes | Troublemaker(stage, agenda, seed=run.seed).strikes
    names, weights = list(WEIGHTS), list(WEIGHTS.values())
    end, fetched, shown = time.monotonic() + run.longest, time.monotonic(), 0.0
    ended: list[str] = []
    while journal.kills < run.kills and time.monotonic() < end:
        agenda.pause(run.longest_pause * dice.choice(PACES) * dice.random())
        ended += killer.restart_dead()
        name = dice.choices(names, weights)[0]
        what = strikes[name]()
        if what:
            journal.note(name, what)
        if time.monotonic() - fetched > FETCHED_EVERY:
            fetched = time.monotonic()
            account.fetch()
        if time.monotonic() - shown > _SHOWN_EVERY:
            shown = time.monotonic()
            _say(f"{journal.kills} of {run.kills} kills, {stage.fleet.unfinished()} rows unfinished; {what}")
    return ended


def _evidence_at_rest(
    stage: Stage, run: Run, since: Timestamp, account: Account, acknowledged: frozenset[str]
) -> Evidence:
    """Wait for the right end, and gather what the judge needs; after the deadline, as it is then."""
    fleet = stage.fleet
    home = fleet.environ["MONGOCLAW_MONGODB__DATABASE"]
    _wait(lambda: _is_at_rest(stage), lambda: f"{fleet.unfinished()} rows unfinished", seconds=run.drain)
    history: History = read_history(fleet.mongo, since, home=home)
    _wait(
        lambda: not unmoved(fleet, history) and not read_nobodys(fleet),
        lambda: f"{unmoved(fleet, history)} not read, {read_nobodys(fleet)} held by nobody",
        seconds=60,
    )
    return Evidence(
        held=read_held(fleet),
        history=history,
        rows=read_rows(fleet),
        attempts=read_attempts(fleet),
        calls=account.calls(),
        acknowledged=acknowledged,
        nobodys=read_nobodys(fleet),
        unmoved=unmoved(fleet, history),
    )


def _is_at_rest(stage: Stage) -> bool:
    """Whether every row is at its end and every document has what is due to it."""
    fleet = stage.fleet
    if fleet.unfinished():
        return False
    partial = Evidence(
        held=read_held(fleet),
        history=History((), ()),
        rows=read_rows(fleet),
        attempts=read_attempts(fleet),
        calls=(),
        acknowledged=frozenset(),
    )
    return all(is_explained for _, is_explained in unanswered(partial))


def _wait(condition: Callable[[], bool], state: Callable[[], str], *, seconds: float) -> None:
    deadline, shown = time.monotonic() + seconds, time.monotonic()
    while not condition():
        if time.monotonic() > deadline:
            _say(f"not at rest after {seconds:.0f} s: {state()}")
            return
        if time.monotonic() - shown > _SHOWN_EVERY:
            shown = time.monotonic()
            _say(f"drains: {state()}")
        time.sleep(0.5)


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()
