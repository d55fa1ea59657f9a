"""A small history in which all is well, for tests to spoil."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bson import Timestamp

from tests.acceptance.storm.evidence import Attempt, Call, Evidence, Held, Row
from tests.acceptance.storm.witness import Change, History, Saved, Written, pack

KEY = "contracts-0-1"
FIRST, SECOND = f"{KEY} in its state 0.1", f"{KEY} in its state 0.2"
PLACE = "shop.contracts"
ANSWERS = {FIRST: {"category": "bug", "summary": "one"}, SECOND: {"category": "praise", "summary": "two"}}


def question(text: str) -> str:
    return f"[strict] {text}"


def by_user(second: int, text: str | None, *, operation: str = "update", **changes: Any) -> Change:
    change = Change(
        time=pack(Timestamp(second, 1)),
        namespace=PLACE,
        key=KEY,
        operation=operation,
        changed=frozenset({"text"}),
        text=text,
        written=None,
    )
    return replace(change, **changes)


def by_agent(second: int, text: str, *, execution: str, read_at: int) -> Change:
    written = Written("strict", execution, f"hash of {text}", Timestamp(read_at, 1))
    return by_user(second, None, changed=frozenset({"ai"}), written=written)


def row(number: int, *, second: int, **changes: Any) -> Row:
    made = Row(
        id=f"run-{number}",
        agent="strict",
        key=KEY,
        time=pack(Timestamp(second, 1)),
        sequence=number,
        operation="update",
        status="completed",
        claim=1,
        attempts=0,
        deferrals=0,
        completed_at=f"2026-11-29 12:00:{second + 2:02}",
        duration=100.0,
        error="",
        worker="w",
    )
    return replace(made, **changes)


def attempt(execution: str, text: str, **changes: Any) -> Attempt:
    made = Attempt(execution, 1, f"hash of {text}", question(text), ANSWERS[text], "valid")
    return replace(made, **changes)


def call(text: str, *, started: float, **changes: Any) -> Call:
    return replace(Call(question(text), started, started + 0.5, "answered"), **changes)


def document(text: str, answer: object) -> Held:
    return Held({"_id": KEY, "text": text, "kind": "lead", "open": True, "ai": answer}, answer)


CHANGES = (
    by_user(10, FIRST, operation="insert"),
    by_agent(12, FIRST, execution="run-1", read_at=11),
    by_user(20, SECOND),
    by_agent(22, SECOND, execution="run-2", read_at=21),
)
POSITIONS = (Saved("shop", Timestamp(11, 1), 1, 0), Saved("shop", Timestamp(21, 1), 1, 0))


def sound(**changes: Any) -> Evidence:
    """An insert and an edit, each answered once."""
    made = Evidence(
        held={"strict": [document(SECOND, ANSWERS[SECOND])]},
        history=History(CHANGES, POSITIONS),
        rows=[row(1, second=10), row(2, second=20)],
        attempts=[attempt("run-1", FIRST), attempt("run-2", SECOND)],
        calls=[call(FIRST, started=11), call(SECOND, started=21)],
        acknowledged=frozenset({FIRST, SECOND}),
    )
    return replace(made, **changes)


def history(*changes: Change) -> History:
    return History(changes, POSITIONS)
