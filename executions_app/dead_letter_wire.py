"""The JSON form of dead letters, and of what became of them."""

from __future__ import annotations

from typing import Any

from executions_app import queries
from executions_app.dead_letter_work import LEFT_MEANINGS, Report
from executions_app.dead_letters import DeadLetter
from executions_app.models import Discard, Execution, StrayMessage
from executions_app.wire import execution_json, trace_json


def dead_letter_json(letter: DeadLetter) -> dict[str, Any]:
    """Return a dead letter as a list has it. What a message or a run does not have is null."""
    row = letter.letter
    run = row if isinstance(row, Execution) else None
    stray = row if isinstance(row, StrayMessage) else None
    return {
        "id": letter.id,
        "kind": letter.kind.value,
        "status": row.status,
        "reason": row.reason,
        "error": row.error or None,
        "died_at": letter.died_at,
        "agent_id": run.agent_id if run else None,
        "database": run.database if run else None,
        "collection": run.collection if run else None,
        "document_id": run.document_id if run else None,
        "attempts": run.attempts if run else None,
        "worker_losses": run.losses if run else None,
        "task": (stray.task or None) if stray else None,
        "times": stray.times if stray else None,
        "discarded": _discard_json(letter.discard),
    }


def story_json(letter: DeadLetter) -> dict[str, Any]:
    """Return all that is known of a dead letter: a run's trace, or a message's excerpt."""
    row = letter.letter
    if isinstance(row, Execution):
        return {**dead_letter_json(letter), "execution": trace_json(queries.trace(row)), "message": None}
    return {**dead_letter_json(letter), "execution": None, "message": message_json(row)}


def line_json(letter: DeadLetter) -> dict[str, Any]:
    """Return a dead letter as an export has it: a run with its calls, without its story told in words."""
    row = letter.letter
    if isinstance(row, Execution):
        calls = trace_json(queries.trace(row))["calls"]
        run = {**execution_json(row), "traceback": row.traceback or None, "calls": calls}
        return {**dead_letter_json(letter), "execution": run, "message": None}
    return story_json(letter)


def message_json(row: StrayMessage) -> dict[str, Any]:
    """Return what is known of a message."""
    return {
        "message_id": row.message_id or None,
        "task": row.task or None,
        "queue": row.queue or None,
        "content_type": row.content_type or None,
        "size": row.size,
        "excerpt": row.excerpt,
        "host": row.host,
        "times": row.times,
        "first_seen_at": row.first_seen_at,
        "last_seen_at": row.last_seen_at,
    }


def report_json(report: Report) -> dict[str, Any]:
    """Return what became of dead letters. `more` says that the call's limit was reached: ask again.

    `discarded_at` says of the examples that were put aside since when they are.
    """
    return {
        "moved": report.moved,
        "left": [
            {
                "cause": cause.value,
                "meaning": LEFT_MEANINGS[cause],
                "count": number,
                "examples": report.examples[cause],
            }
            for cause, number in sorted(report.left.items())
        ],
        "discarded_at": report.discarded_at,
        "more": report.more,
        "last_due_at": report.last_due_at,
    }


def _discard_json(discard: Discard | None) -> dict[str, Any] | None:
    return None if discard is None else {"at": discard.at, "by": discard.by, "why": discard.why or None}
