"""Every row answers an event that its agent asked for, none has two, all end, and in the order of their events."""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import pairwise

from tests.acceptance.storm.agents import RULES, Rule
from tests.acceptance.storm.evidence import VALID, Evidence, Row
from tests.acceptance.storm.judging.verdict import Verdict
from tests.acceptance.storm.witness import Change, History

BACKFILL = "backfill"


def judge_rows(evidence: Evidence, verdict: Verdict) -> None:
    """Hold the ledger against the oplog; without coalescing, each event has a row."""
    wanted = _wanted(evidence.history)
    had: dict[str, Counter[tuple[str, str]]] = {rule.agent: Counter() for rule in RULES}
    for row in evidence.rows:
        if row.operation != BACKFILL:
            had[row.agent][row.key, row.time] += 1
        if not row.is_at_its_end:
            verdict.stuck.append(f"{row.agent}: {row.id} of {row.key} is {row.status} with {row.worker!r}")
    for rule in RULES:
        rows, events = had[rule.agent], wanted[rule.agent]
        verdict.doubled.extend(f"{rule.agent}: two rows for {event}" for event in rows if rows[event] > 1)
        verdict.doubled.extend(
            f"{rule.agent}: nobody asked for the row of {event}" for event in rows.keys() - events
        )
        if not rule.coalesce:
            verdict.lost.extend(f"{rule.agent}: no row for {event}" for event in events - rows.keys())
    _judge_failures(evidence, verdict)
    _judge_order(evidence, verdict)


def _wanted(history: History) -> dict[str, set[tuple[str, str]]]:
    by_namespace: defaultdict[str, list[Rule]] = defaultdict(list)
    for rule in RULES:
        by_namespace[rule.namespace].append(rule)
    wanted: dict[str, set[tuple[str, str]]] = {rule.agent: set() for rule in RULES}
    for change in history.changes:
        for rule in by_namespace[change.namespace]:
            if _asks(rule, change):
                wanted[rule.agent].add((change.key, change.time))
    return wanted


def _asks(rule: Rule, change: Change) -> bool:
    """Whether a change is one for this agent. Its own writes are not; another agent's are."""
    if change.written is not None and change.written.agent == rule.agent:
        return False
    return rule.triggers(change.operation, change.changed)


def _judge_failures(evidence: Evidence, verdict: Verdict) -> None:
    """A run that failed has a call on record that failed in this way: nothing else in a storm ends a run."""
    met = {(attempt.execution, attempt.outcome) for attempt in evidence.attempts if attempt.outcome != VALID}
    for row in evidence.rows:
        if row.status == "failed" and (row.id, row.error) not in met:
            verdict.lost.append(
                f"{row.agent}: {row.id} of {row.key} failed with {row.error}, not by the model"
            )


def _judge_order(evidence: Evidence, verdict: Verdict) -> None:
    """Rows that do not coalesce end in the order of their events."""
    lines: defaultdict[tuple[str, str], list[Row]] = defaultdict(list)
    single = {rule.agent for rule in RULES if not rule.coalesce}
    for row in evidence.rows:
        if row.agent in single and row.operation != BACKFILL and row.completed_at is not None:
            lines[row.agent, row.key].append(row)
    for (agent, key), rows in lines.items():
        rows.sort(key=lambda row: (row.time, row.sequence))
        for earlier, later in pairwise(rows):
            if later.completed_at < earlier.completed_at:
                verdict.stale.append(f"{agent}: {key}: {later.id} ended before {earlier.id}")
