"""Faults that kill nobody: lines that are cut, slow or dark, a model that fails, an SQL database that is locked."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable
from typing import Any, Final

import psycopg

from tests.acceptance.storm.agenda import Agenda
from tests.acceptance.storm.network import SERVERS
from tests.acceptance.storm.stage import PROCESSES, Stage

LINE_SECONDS: Final = (1.0, 10.0)
DELAY_SECONDS: Final = (0.05, 0.8)
MODEL_SECONDS: Final = (1.0, 8.0)
LOCKED_SECONDS: Final = (1.0, 6.0)
LOCKED_LONG: Final = 22.0
"""Longer than any statement waits for its lock."""
ONE_IN_LONG: Final = 12

_FAILURES: Final[tuple[dict[str, Any], ...]] = (
    {"kind": "rate_limit", "retry_after": 2},
    {"kind": "rate_limit", "retry_after": 5, "probability": 0.5},
    {"kind": "unavailable"},
    {"kind": "unavailable", "retry_after": 3},
    {"kind": "overloaded"},
    {"kind": "error_500"},
    {"kind": "error_500", "probability": 0.3},
    {"kind": "hang", "probability": 0.5},
    {"kind": "delay", "latency_ms": 3000},
    {"kind": "delay", "latency_ms": 7000, "probability": 0.5},
    {"kind": "slow_drip", "probability": 0.5},
    {"kind": "reset", "probability": 0.5},
    {"kind": "bad_body", "probability": 0.5},
    {"kind": "html", "probability": 0.3},
    {"kind": "bad_json", "probability": 0.5},
    {"kind": "bad_schema", "probability": 0.5},
    {"kind": "truncated", "probability": 0.3},
    {"kind": "empty", "probability": 0.5},
    {"kind": "no_choices", "probability": 0.3},
    {"kind": "content", "content": "x" * 1_200_000, "times": 2},
    {"kind": "refusal", "probability": 0.3},
)


class Troublemaker:
    """Makes trouble that passes by itself."""

    def __init__(self, stage: Stage, agenda: Agenda, *, seed: int) -> None:
        self.strikes: dict[str, Callable[[], str]] = {
            "line": self._line,
            "model": self._model,
            "ledger_locked": self._ledger,
        }
        self._stage = stage
        self._agenda = agenda
        self._dice = random.Random(f"{seed} trouble")
        self._lines: set[tuple[str, str]] = set()
        self._locked = False

    def _line(self) -> str:
        """Cut, darken or slow the way of one process to one server."""
        process, server = self._dice.choice(PROCESSES), self._dice.choice(SERVERS)
        how, seconds = self._dice.choice(("cut", "dark", "slow")), self._dice.uniform(*LINE_SECONDS)
        delay = self._dice.uniform(*DELAY_SECONDS)
        if (process, server) in self._lines:
            return ""
        relays = self._stage.network.lines[process][server]

        def heal() -> None:
            for relay in relays:
                relay.heal()
            self._lines.discard((process, server))

        for relay in relays:
            match how:
                case "cut":
                    relay.cut()
                case "dark":
                    relay.darken()
                case _:
                    relay.slow(delay)
        self._lines.add((process, server))
        self._agenda.after(seconds, heal)
        return f"{process} to {server} {how} for {seconds:.1f} s"

    def _model(self) -> str:
        rule, seconds = self._dice.choice(_FAILURES), self._dice.uniform(*MODEL_SECONDS)
        self._stage.fleet.model.script(**rule, seconds=seconds, seed=self._dice.randrange(10**6))
        odds = rule.get("probability", 1)
        return f"model: {rule['kind']} for {seconds:.1f} s, {odds:.0%} of calls"

    def _ledger(self) -> str:
        """Hold the lock that every writer needs; somebody who has it now may be in the way."""
        is_long = self._dice.randrange(ONE_IN_LONG) == 0
        seconds = LOCKED_LONG if is_long else self._dice.uniform(*LOCKED_SECONDS)
        if self._locked:
            return ""
        try:
            release = _lock(self._stage.fleet.environ["MONGOCLAW_DATABASE__URL"])
        except (sqlite3.OperationalError, psycopg.Error):
            return ""

        def unlock() -> None:
            release()
            self._locked = False

        self._locked = True
        self._agenda.after(seconds, unlock)
        return f"ledger locked for {seconds:.1f} s"


def _lock(url: str) -> Callable[[], None]:
    """Lock all writers out, not those who read: that the storm does itself. Returns what lets them in again."""
    is_lite = url.startswith("sqlite:")
    connection: sqlite3.Connection | psycopg.Connection = (
        sqlite3.connect(url.removeprefix("sqlite:///"), timeout=10, isolation_level=None)
        if is_lite
        else psycopg.connect(url, options="-c lock_timeout=10s")
    )
    try:
        connection.execute(
            "BEGIN IMMEDIATE" if is_lite else "LOCK TABLE executions_app_execution IN EXCLUSIVE MODE"
        )
    except (sqlite3.Error, psycopg.Error):
        connection.close()
        raise
    return connection.close
