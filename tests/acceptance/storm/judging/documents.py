"""Every matching document has an answer that was made from its newest state, or a record that says why not."""

from __future__ import annotations

from collections.abc import Iterator

from tests.acceptance.storm.agents import RULES
from tests.acceptance.storm.evidence import VALID, Evidence, answers_of
from tests.acceptance.storm.judging.verdict import Verdict


def judge_documents(evidence: Evidence, verdict: Verdict) -> None:
    """Look at each document, and at what MongoDB had promised to keep."""
    for sentence, is_explained in unanswered(evidence):
        (verdict.explained if is_explained else verdict.lost).append(sentence)
    for rule in RULES:
        for held in evidence.held.get(rule.agent, ()):
            if held.document["kind"] == "spam" and rule.filter and held.answer is not None:
                verdict.doubled.append(
                    f"{rule.agent}: {held.document['_id']} never matched and has an answer"
                )
    seen = {change.text for change in evidence.history.changes}
    verdict.lost.extend(
        f"MongoDB acknowledged {text!r} and forgot it"
        for text in sorted(evidence.acknowledged)
        if text not in seen
    )


def unanswered(evidence: Evidence) -> Iterator[tuple[str, bool]]:
    """Name the documents that want an answer and have none that was made from their present state.

    A run that failed on this very state explains it: its record holds the question and what came back.
    """
    answers = answers_of(evidence.attempts)
    failed = {row.id for row in evidence.rows if row.status == "failed"}
    explained = {
        attempt.question
        for attempt in evidence.attempts
        if attempt.outcome != VALID and attempt.execution in failed
    }
    for rule in RULES:
        for held in evidence.held.get(rule.agent, ()):
            if not rule.matches(held.document):
                continue
            question = rule.prompt_for(held.document) or ""
            if held.answer is None or held.answer not in answers.get(question, ()):
                yield f"{rule.agent}: {question!r} has {held.answer!r}", question in explained
