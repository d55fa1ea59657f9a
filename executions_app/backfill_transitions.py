"""Every change of a backfill's status, by compare-and-set."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Final

import structlog

from agents_app.errors import Decision, MongoClawError
from executions_app import gaps, transitions
from executions_app.fence import Term, held
from executions_app.models import Backfill, BackfillRange, BackfillStatus, Execution
from executions_app.states import Reason, Status

log = structlog.get_logger(__name__)

PLANNED, RUNNING, PAUSED = BackfillStatus.PLANNED, BackfillStatus.RUNNING, BackfillStatus.PAUSED
FROM: Final[dict[BackfillStatus, tuple[BackfillStatus, ...]]] = {
    BackfillStatus.PAUSED: (PLANNED, RUNNING),
    BackfillStatus.COMPLETED: (RUNNING,),
    BackfillStatus.CANCELLED: (PLANNED, RUNNING, PAUSED),
    BackfillStatus.FAILED: (PLANNED, RUNNING),
}
"""Where each status may come from; `start` and `resume` lead to the others."""


CLEARED_AT_ONCE: Final = 500
"""Rows in one transaction: a short turn for a long backlog."""


class BackfillStateWrong(MongoClawError):
    """The backfill is not in a state for this."""

    decision: ClassVar[Decision] = Decision.PERMANENT
    code: ClassVar[str] = "backfill_state"


@dataclass(frozen=True, slots=True)
class NewRange:
    """The bounds of a range, as the model keeps them."""

    lower: str
    upper: str


def start(
    backfill: Backfill,
    ranges: Sequence[NewRange],
    *,
    namespace: tuple[str, str],
    estimate: int,
    now: datetime,
    term: Term | None = None,
) -> None:
    """Begin to read. Raises BackfillStateWrong, and Fenced if the term is over."""
    database, collection = namespace
    with held(term):
        _move(
            backfill.id,
            (PLANNED,),
            RUNNING,
            started_at=now,
            database=database,
            collection=collection,
            estimate=estimate,
        )
        BackfillRange.objects.bulk_create(
            BackfillRange(backfill=backfill, number=number, lower=made.lower, upper=made.upper)
            for number, made in enumerate(ranges)
        )
    log.info("backfill.started", backfill=backfill.id, ranges=len(ranges), estimate=estimate)


def pause(backfill_id: str, *, by: str) -> Backfill:
    """Stop reading until somebody resumes it; what is on record is worked off. Raises BackfillStateWrong."""
    with held(None):
        _move(backfill_id, FROM[PAUSED], PAUSED)
    return _told(backfill_id, "backfill.paused", by=by)


def resume(backfill_id: str, *, by: str) -> Backfill:
    """Go on behind the last key that is on record. Raises BackfillStateWrong."""
    with held(None):
        begun = Backfill.objects.filter(id=backfill_id, started_at__isnull=False).exists()
        _move(backfill_id, (PAUSED,), RUNNING if begun else PLANNED)
    return _told(backfill_id, "backfill.resumed", by=by)


def cancel(backfill_id: str, *, by: str, now: datetime) -> Backfill:
    """Stop for good. A watcher ends the rows that wait for nothing else, see `clear`. Raises BackfillStateWrong.

    A gap that it was to close is open again.
    """
    with held(None):
        _move(backfill_id, FROM[BackfillStatus.CANCELLED], BackfillStatus.CANCELLED, ended_at=now)
        gaps.reopen(backfill_id)
    return _told(backfill_id, "backfill.cancelled", by=by)


def clear(backfill: Backfill, *, now: datetime, term: Term | None = None) -> int:
    """End some pending rows of a cancelled backfill, which no change has asked for since; returns how many.

    Raises Fenced if the term is over.
    """
    # The agent and its lowest priorities first: that is an index of the pending rows.
    waiting = Execution.objects.filter(
        agent_id=backfill.agent_id, status=Status.PENDING, priority__lt=0, backfill=backfill.id
    )
    some = list(waiting.values_list("id", flat=True)[:CLEARED_AT_ONCE])
    with held(term):
        rows = Execution.objects.filter(id__in=some, backfill=backfill.id)
        ended = transitions.abandon(rows, Reason.BACKFILL_CANCELLED, now=now) if some else 0
        if not some:
            Backfill.objects.filter(id=backfill.id).update(cleared=True)
    return ended


def fail(backfill_id: str, reason: str, *, now: datetime, term: Term | None = None) -> None:
    """Stop for good because it cannot go on. Raises BackfillStateWrong, and Fenced if the term is over."""
    with held(term):
        _move(backfill_id, FROM[BackfillStatus.FAILED], BackfillStatus.FAILED, ended_at=now, error=reason)
        gaps.reopen(backfill_id)
    log.error("backfill.failed", backfill=backfill_id, reason=reason)


def complete(backfill_id: str, *, now: datetime, term: Term | None = None) -> None:
    """Everything is read: close the gaps that it was for. Raises BackfillStateWrong, Fenced."""
    with held(term):
        _move(backfill_id, FROM[BackfillStatus.COMPLETED], BackfillStatus.COMPLETED, ended_at=now)
        for gap_id in gaps.waiting_for(backfill_id):
            # Somebody may have closed it by hand just now.
            with suppress(gaps.GapNotOpen):
                gaps.close(gap_id, by=f"backfill {backfill_id}", resolution="worked through again", now=now)
    log.info("backfill.completed", backfill=backfill_id)


def _move(backfill_id: str, before: Sequence[BackfillStatus], after: BackfillStatus, **changes: Any) -> None:
    rows = Backfill.objects.filter(id=backfill_id, status__in=before)
    if rows.update(status=after, **changes):
        return
    found = Backfill.objects.filter(id=backfill_id).values_list("status", flat=True).first()
    if found is None:
        raise BackfillStateWrong(f"Backfill {backfill_id} does not exist")
    wanted = " or ".join(status.value for status in before)
    raise BackfillStateWrong(f"Backfill {backfill_id[:8]} is {found}; it would have to be {wanted}")


def _told(backfill_id: str, event: str, *, by: str) -> Backfill:
    log.info(event, backfill=backfill_id, by=by)
    return Backfill.objects.select_related("agent").get(id=backfill_id)
