"""Every write of an agent, in the order of the oplog: once for a run and its input, never over a newer one."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

from tests.acceptance.storm.agents import BY_AGENT, Rule
from tests.acceptance.storm.evidence import Evidence
from tests.acceptance.storm.judging.verdict import Verdict
from tests.acceptance.storm.witness import Change, History, Written

Place = tuple[str, str]
"""Namespace and key of a document."""


@dataclass(slots=True)
class _Replay:
    """What stood in the documents at each moment of the history."""

    asked: dict[str, str]
    """The question that a fingerprint stands for."""
    texts: dict[Place, str] = field(default_factory=dict)
    last: defaultdict[Place, dict[str, Written]] = field(default_factory=lambda: defaultdict(dict))
    """The newest write of each agent, until a user takes it away."""
    untouched: defaultdict[Place, set[str]] = field(default_factory=lambda: defaultdict(set))
    """The agents since whose last write no user has changed the document."""
    writes: Counter[tuple[str, str, str, str]] = field(default_factory=Counter)

    def forget(self, namespace: str) -> None:
        """All documents of a namespace are gone or others."""
        for places in (self.texts, self.last, self.untouched):
            for place in [place for place in places if place[0] == namespace]:
                del places[place]


def judge_writes(evidence: Evidence, verdict: Verdict) -> None:
    """Play the history again.

    A user who replaces, deletes or inserts a document takes away what an agent has left, and the order begins anew.
    """
    replay = _Replay({attempt.input_hash: attempt.question for attempt in evidence.attempts})
    for change in evidence.history.changes:
        if not change.key:
            replay.forget(change.namespace)
        elif change.written is None:
            _by_user(replay, change)
        else:
            _by_agent(replay, change, change.written, verdict)
    verdict.doubled.extend(
        f"{agent}: {key}: {execution} wrote {count} times for one input"
        for (agent, key, execution, _), count in replay.writes.items()
        if count > 1
    )


def _by_user(replay: _Replay, change: Change) -> None:
    place = (change.namespace, change.key)
    replay.untouched.pop(place, None)
    if change.operation != "update":
        replay.last.pop(place, None)
        replay.texts.pop(place, None)
    if change.text is not None:
        replay.texts[place] = change.text


def _by_agent(replay: _Replay, change: Change, written: Written, verdict: Verdict) -> None:
    place = (change.namespace, change.key)
    before = replay.last[place].get(written.agent)
    whose = f"{written.agent}: {change.key}: {written.execution}"
    if before is not None and written.as_of < before.as_of:
        verdict.stale.append(f"{whose} wrote over {before.execution}, which had read later")
    if before is not None and written.agent in replay.untouched[place] and _repeats(written, before):
        verdict.doubled.append(f"{whose} wrote the answer again that {before.execution} had written")
    rule = BY_AGENT[written.agent]
    if rule.is_strict:
        _judge_input(replay, rule, change.key, written, verdict)
    replay.last[place][written.agent] = written
    replay.untouched[place].add(written.agent)
    replay.writes[written.agent, change.key, written.execution, written.input_hash] += 1


def _repeats(written: Written, before: Written) -> bool:
    """Whether another run wrote for the same input; the same run is counted for itself."""
    return before.input_hash == written.input_hash and before.execution != written.execution


def _judge_input(replay: _Replay, rule: Rule, key: str, written: Written, verdict: Verdict) -> None:
    """A strict answer is written while its input is what was asked about; what was renamed in is not known."""
    text = replay.texts.get((rule.namespace, key))
    if text is None:
        return
    asked = replay.asked.get(written.input_hash)
    present: Any = rule.prompt_for({"text": text})
    if asked != present:
        verdict.stale.append(f"{rule.agent}: {written.execution} answered {asked!r} where {present!r} stood")


def judge_positions(history: History, verdict: Verdict) -> None:
    """Within a generation a position never goes back, and it is never written under an earlier term."""
    last: dict[str, tuple[int, Any, int]] = {}
    for saved in history.positions:
        generation, time, term = last.get(saved.unit, (0, saved.position, 0))
        new = generation if saved.generation < 0 else saved.generation
        now = term if saved.term < 0 else saved.term
        if new == generation and saved.position < time:
            verdict.stale.append(f"{saved.unit} went back from {time} to {saved.position}")
        if new == generation and now < term:
            verdict.stale.append(f"{saved.unit}: term {now} wrote after term {term}")
        last[saved.unit] = (new, saved.position, now)
