"""The model's own account: no call is made that neither a failure nor a death explains, and limits are kept."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Final

from tests.acceptance.storm.agents import BURST, CONCURRENT, LIMITS_IN_FORCE, PER_MINUTE
from tests.acceptance.storm.evidence import VALID, Call, Evidence, subject_of
from tests.acceptance.storm.judging.verdict import Verdict

SOUND: Final = frozenset({"answered", "delay", "slow_drip", "no_usage"})
"""Outcomes with an answer that can be used, as far as the model can tell."""
MINUTE: Final = 60.0


def judge_calls(evidence: Evidence, verdict: Verdict) -> None:
    """Count the sound answers to each question beyond the first (ADR 0020 has the bound)."""
    _judge_repeats(evidence, verdict)
    paid = Counter(
        (attempt.execution, attempt.claim, attempt.input_hash)
        for attempt in evidence.attempts
        if attempt.outcome == VALID
    )
    verdict.extra_calls.extend(
        f"{execution} paid {count} times in its claim {claim}"
        for (execution, claim, _), count in paid.items()
        if count > 1
    )
    if LIMITS_IN_FORCE:
        judge_limits(evidence.calls, verdict)


def _judge_repeats(evidence: Evidence, verdict: Verdict) -> None:
    answered = Counter(call.question for call in evidence.calls if call.outcome in SOUND)
    repeated: Counter[tuple[str, str]] = Counter()
    for question, count in answered.items():
        repeated[subject_of(question)] += count - 1
    excused = _undelivered(evidence)
    for row in evidence.rows:
        excused[row.agent, row.key] += row.lost_claims
    for subject, count in repeated.items():
        beyond = max(0, count - excused[subject])
        verdict.extra_calls.extend(f"{' '.join(subject)}: a repeated call" for _ in range(beyond))


def _undelivered(evidence: Evidence) -> Counter[tuple[str, str]]:
    """Count the calls on record as failed that the model knows nothing of: it answered, and the line was cut."""
    failed = Counter(subject_of(each.question) for each in evidence.attempts if each.outcome != VALID)
    failed.subtract(subject_of(call.question) for call in evidence.calls if call.outcome not in SOUND)
    return +failed


def judge_limits(calls: Iterable[Call], verdict: Verdict) -> None:
    """Count at the model server what `max_concurrency` and `rate_limit_requests` allow.

    A call that its client left is none for the first: when it ended, nobody can tell.
    """
    of: defaultdict[str, list[Call]] = defaultdict(list)
    for call in calls:
        of[subject_of(call.question)[0]].append(call)
    at_once = most_at_once(call for call in of["few"] if call.outcome != "abandoned")
    if at_once > CONCURRENT:
        verdict.over_limit.append(f"few: {at_once} calls at once, where {CONCURRENT} are allowed")
    busiest = most_in_a_minute(call.started for call in of["metered"])
    if busiest > PER_MINUTE + BURST:
        verdict.over_limit.append(f"metered: {busiest} calls in a minute, where {PER_MINUTE} are allowed")


def most_at_once(calls: Iterable[Call]) -> int:
    """The most calls that were in the air at one time; one that ends when another begins is over."""
    moments = sorted(
        moment for call in calls for moment in ((call.started, 1), (call.ended or call.started, -1))
    )
    most = now = 0
    for _, step in moments:
        now += step
        most = max(most, now)
    return most


def most_in_a_minute(starts: Iterable[float]) -> int:
    """The most calls that began within any minute."""
    ordered = sorted(starts)
    most = first = 0
    for number, start in enumerate(ordered):
        while ordered[first] <= start - MINUTE:
            first += 1
        most = max(most, number - first + 1)
    return most
