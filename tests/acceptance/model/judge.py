"""The verdict: what the documents, the ledger, the model's own account and the oplog say, held against each other."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from pymongo import MongoClient

from tests.acceptance.conftest import Fleet
from tests.acceptance.model.agents import PROMPT, RULES, Document, Rule
from tests.acceptance.model.witness import ANSWER, History, Written, pack

ROWS = """
SELECT id, agent_id, collection, document_id, event_time, sequence, operation, status, claim, completed_at, error_type
  FROM executions_app_execution
"""
VALID_ANSWERS = (
    "SELECT execution_id, input_hash, prompt, answer FROM executions_app_attempt WHERE outcome = 'valid'"
)


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the ledger."""

    id: str
    agent: str
    collection: str
    key: str
    time: str
    sequence: int
    operation: str
    status: str
    claim: int
    completed_at: Any
    error: str


@dataclass(frozen=True, slots=True)
class Ledger:
    """What SQL holds when all is over. `answers` maps a prompt to its answer."""

    rows: tuple[Row, ...]
    answers: Mapping[str, Any]
    paid: Counter[tuple[str, str]]
    """Valid answers by execution and input."""

    @classmethod
    def read(cls, fleet: Fleet) -> Ledger:
        """Read all of it."""
        rows = tuple(Row(*found) for found in fleet.rows(ROWS))
        answers: dict[str, Any] = {}
        paid: Counter[tuple[str, str]] = Counter()
        for execution, input_hash, prompt, answer in fleet.rows(VALID_ANSWERS):
            answers[prompt] = json.loads(answer) if isinstance(answer, str) else answer
            paid[execution, input_hash] += 1
        return cls(rows, answers, paid)


@dataclass(slots=True)
class Verdict:
    """What is wrong, each finding in words. All empty is what the system promises."""

    documents: int = 0
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    stale: list[str] = field(default_factory=list)
    disordered: list[str] = field(default_factory=list)
    unasked: list[str] = field(default_factory=list)
    """Answers and rows that nothing asked for."""
    positions: list[str] = field(default_factory=list)
    """Positions that went back or were written under an earlier term."""
    failed: list[str] = field(default_factory=list)
    extra_calls: int = 0

    def findings(self) -> dict[str, list[str]]:
        """The lists that are not empty, the first of each."""
        found = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {name: value[:12] for name, value in found.items() if isinstance(value, list) and value}


def unanswered(
    mongo: MongoClient[Document], answers: Mapping[str, Any]
) -> Iterator[tuple[Rule, Document, Any]]:
    """Name the documents that want an answer and have another one than that to their present text, or none."""
    for rule in RULES:
        held = answers_of(mongo, rule)
        for document in mongo[rule.database][rule.collection].find():
            if rule.matches(document):
                wanted = answers.get(PROMPT + str(document["text"]))
                given = held.get(document["_id"])
                if wanted is None or given != wanted:
                    yield rule, document, given


def answers_of(mongo: MongoClient[Document], rule: Rule) -> dict[Any, Any]:
    """The answers that the agent has left, by document."""
    place = mongo[rule.database][rule.elsewhere or rule.collection]
    return {found["_id"]: found[ANSWER] for found in place.find({ANSWER: {"$exists": True}}, [ANSWER])}


def judge(fleet: Fleet, history: History, acknowledged: Iterable[str]) -> Verdict:
    """Compare everything. The system is at rest."""
    ledger = Ledger.read(fleet)
    verdict = Verdict()
    _judge_documents(verdict, fleet.mongo, ledger)
    _judge_acknowledged(verdict, history, acknowledged)
    _judge_rows(verdict, history, ledger)
    _judge_order(verdict, ledger)
    _judge_writes(verdict, history)
    _judge_calls(verdict, fleet, ledger)
    _judge_positions(verdict, history)
    return verdict


def _judge_documents(verdict: Verdict, mongo: MongoClient[Document], ledger: Ledger) -> None:
    for rule, document, given in unanswered(mongo, ledger.answers):
        kind = verdict.lost if given is None else verdict.stale
        kind.append(f"{rule.agent}: {document['_id']} with the text {document['text']!r} has {given!r}")
    for rule in RULES:
        held = answers_of(mongo, rule)
        for document in mongo[rule.database][rule.collection].find():
            verdict.documents += 1
            if document["kind"] == "spam" and rule.filter and document["_id"] in held:
                verdict.unasked.append(f"{rule.agent}: {document['_id']} never matched and has an answer")


def _judge_acknowledged(verdict: Verdict, history: History, acknowledged: Iterable[str]) -> None:
    seen = {change.text for change in history.changes}
    verdict.lost.extend(
        f"MongoDB acknowledged {text!r} and forgot it" for text in acknowledged if text not in seen
    )


def _judge_rows(verdict: Verdict, history: History, ledger: Ledger) -> None:
    """Every row answers an event that its agent asked for, none has two; without coalescing, each event has one."""
    wanted = _wanted(history)
    had: dict[str, Counter[tuple[str, str]]] = {rule.agent: Counter() for rule in RULES}
    for row in ledger.rows:
        if row.operation != "backfill":
            had[row.agent][row.key, row.time] += 1
        if row.status == "failed":
            verdict.failed.append(f"{row.agent}: {row.key} at {row.time}: {row.error}")
    for rule in RULES:
        rows, events = had[rule.agent], wanted[rule.agent]
        verdict.doubled.extend(f"{rule.agent}: two rows for {event}" for event in rows if rows[event] > 1)
        verdict.unasked.extend(f"{rule.agent}: a row for {event}" for event in rows.keys() - events)
        if not rule.coalesce:
            verdict.lost.extend(f"{rule.agent}: no row for {event}" for event in events - rows.keys())


def _wanted(history: History) -> dict[str, set[tuple[str, str]]]:
    by_namespace = {rule.namespace: rule for rule in RULES}
    wanted: dict[str, set[tuple[str, str]]] = {rule.agent: set() for rule in RULES}
    for change in history.changes:
        rule = by_namespace.get(change.namespace)
        if rule and change.written is None and rule.triggers(change.operation, change.changed):
            wanted[rule.agent].add((change.key, change.time))
    return wanted


def _judge_order(verdict: Verdict, ledger: Ledger) -> None:
    """Rows that do not coalesce end in the order of their events."""
    lines: defaultdict[tuple[str, str], list[Row]] = defaultdict(list)
    strict = {rule.agent for rule in RULES if not rule.coalesce}
    for row in ledger.rows:
        if row.agent in strict and row.operation != "backfill":
            lines[row.agent, row.key].append(row)
    for (agent, key), rows in lines.items():
        rows.sort(key=lambda row: (row.time, row.sequence))
        for earlier, later in pairwise(rows):
            if later.completed_at < earlier.completed_at:
                verdict.disordered.append(f"{agent}: {key}: {later.id} ended before {earlier.id}")


def _judge_writes(verdict: Verdict, history: History) -> None:
    """No run writes twice for one input, and no run writes over one that read later.

    A user who replaces, deletes or inserts the document takes away what an agent has left, and the order begins anew.
    """
    last: dict[tuple[str, str], Written] = {}
    writes: Counter[tuple[str, str, str]] = Counter()
    for change in history.changes:
        place = (change.namespace, change.key)
        written = change.written
        if written is None:
            if change.operation != "update":
                last.pop(place, None)
            continue
        before = last.get(place)
        if before is not None and written.as_of < before.as_of:
            verdict.stale.append(
                f"{written.agent}: {change.key}: {written.execution} over {before.execution}"
            )
        last[place] = written
        writes[change.key, written.execution, written.input_hash] += 1
    verdict.doubled.extend(f"{run} wrote {count} times" for run, count in writes.items() if count > 1)


def _judge_calls(verdict: Verdict, fleet: Fleet, ledger: Ledger) -> None:
    """A second call for a prompt is only made by a later claim, and never once the answer is on record."""
    per_prompt: Mapping[str, int] = fleet.model.calls()["per_prompt"]
    verdict.extra_calls = sum(per_prompt.values()) - len(per_prompt)
    reclaims = sum(max(0, row.claim - 1) for row in ledger.rows)
    if verdict.extra_calls > reclaims:
        verdict.doubled.append(f"{verdict.extra_calls} repeated calls with {reclaims} later claims")
    verdict.doubled.extend(
        f"{run} paid {count} times for one input" for run, count in ledger.paid.items() if count > 1
    )


def _judge_positions(verdict: Verdict, history: History) -> None:
    """Within a generation a position never goes back, and it is never written under an earlier term."""
    last: dict[str, tuple[int, Any, int]] = {}
    for saved in history.positions:
        generation, time, term = last.get(saved.unit, (0, saved.position, 0))
        new = generation if saved.generation < 0 else saved.generation
        now = term if saved.term < 0 else saved.term
        if new == generation and saved.position < time:
            verdict.positions.append(f"{saved.unit} went back from {time} to {saved.position}")
        if new == generation and now < term:
            verdict.positions.append(f"{saved.unit}: term {now} wrote after term {term}")
        last[saved.unit] = (new, saved.position, now)


def unmoved(fleet: Fleet, history: History) -> list[str]:
    """Name the watched databases whose stream is not behind their last event, in all its parts."""
    home = fleet.mongo[fleet.environ["MONGOCLAW_MONGODB__DATABASE"]]
    late = {change.namespace.partition(".")[0]: change.time for change in history.changes}
    found: defaultdict[str, list[tuple[int, str]]] = defaultdict(list)
    for position in home.resume_tokens.find():
        found[position["database"]].append((position["layout"], pack(position["cluster_time"])))
    return [database for database, time in late.items() if _reached(found[database]) < time]


def _reached(positions: list[tuple[int, str]]) -> str:
    """How far all parts of the present layout have come."""
    layout = max((layout for layout, _ in positions), default=0)
    return min((time for of, time in positions if of == layout), default="")
