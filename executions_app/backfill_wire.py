"""The JSON form of backfills and of what they would cost."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from executions_app.backfill_estimate import Estimate
from executions_app.backfills import Progress, progress_of, waits_for
from executions_app.cost import usd
from executions_app.models import Backfill


def backfills_json(rows: Sequence[Backfill]) -> list[dict[str, Any]]:
    """Return backfills with their progress. Their agents are to be at hand."""
    progress = progress_of([row.id for row in rows])
    return [_backfill_json(row, progress[row.id]) for row in rows]


def backfill_json(row: Backfill) -> dict[str, Any]:
    """Return one backfill with its progress."""
    return backfills_json([row])[0]


def estimate_json(found: Estimate) -> dict[str, Any]:
    """Return what a backfill would do. `cost_usd` is null where no price is known."""
    return {
        "documents": found.documents,
        "counted": found.counted,
        "runs": found.runs,
        "sampled": {
            "documents": found.sampled.documents,
            "current": found.sampled.current,
            "broken": found.sampled.broken,
            "fault": found.sampled.fault or None,
        },
        "prompt_tokens_per_run": found.sampled.prompt_tokens,
        "answer_tokens_per_run": found.answers.tokens,
        "answer_tokens_from": found.answers.basis,
        "tokens": found.tokens,
        "cost_usd": usd(found.cost_nanousd),
        "seconds_to_read": found.seconds,
    }


def _backfill_json(row: Backfill, progress: Progress) -> dict[str, Any]:
    return {
        "id": row.id,
        "agent_id": row.agent_id,
        "status": row.status,
        "waits_for": waits_for(row, row.agent) or None,
        "filter": json.loads(row.filter) if row.filter else None,
        "limit": row.limit,
        "rate": row.rate,
        "origin": row.origin,
        "estimate": row.estimate,
        "read": progress.read,
        "recorded": progress.recorded,
        "current": progress.current,
        "share": progress.share(row),
        "ranges": progress.ranges,
        "ranges_done": progress.done,
        "error": row.error or None,
        "created_at": row.created_at,
        "started_at": row.started_at,
        "ended_at": row.ended_at,
    }
