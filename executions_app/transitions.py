"""The one place that changes `Execution.status` after the insert; `dead_letter_transitions` goes on behind the end.

Every change is a compare-and-set: it names the state it expects and tells whether it found it. A worker's changes
name the claim number too, so one that was given up for dead changes nothing. What takes a `term` raises Fenced.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from django.db import IntegrityError, transaction
from django.db.models import F, QuerySet

from executions_app import interventions, statements
from executions_app.database import aware, write_turn
from executions_app.ending import ended_at
from executions_app.fence import Term, held
from executions_app.identity import unpack_time
from executions_app.models import Attempt, Execution, InterventionKind
from executions_app.poison import Company, fates
from executions_app.routing import Outbound
from executions_app.run import Claimed, Postponement, Settlement
from executions_app.states import TRANSITIONS, UNSTARTED, Reason, Slot, Status
from executions_app.text import storable

log = structlog.get_logger(__name__)

BUSY_RECHECK: Final = timedelta(seconds=30)
"""How long a row that met a running one waits if nobody wakes it; waking it is the rule, this the safety net."""


class TransitionNotAllowed(AssertionError):
    """The transition table has no such move: a mistake in the program."""


def claim(execution_id: str, *, worker: str, now: datetime) -> Claimed | None:
    """Take a queued row to run it, or None: somebody else has it, or its document is busy.

    A row whose document another run holds goes back to pending and is made due when that run ends.
    """
    _allowed(Status.QUEUED, Status.RUNNING)
    found = None
    with suppress(IntegrityError), write_turn():
        found = statements.claim(execution_id, worker=worker, now=now)
    if found is None:
        _wait_for_document(execution_id, now)
        return None
    return _claimed(found, now)


def disown(execution_id: str, *, worker: str, claimed_at: datetime, now: datetime) -> bool:
    """Put back what a claim has taken whose answer did not arrive; false if it had taken nothing.

    The moment tells that claim from another one of the same worker, which a second message may have made.
    """
    _allowed(Status.RUNNING, Status.PENDING)
    row = Execution.objects.filter(
        id=execution_id, status=Status.RUNNING, worker=worker, started_at=claimed_at
    )
    try:
        with write_turn(), transaction.atomic():
            return bool(row.update(status=Status.PENDING, reason=Reason.RECLAIMED, due_at=now))
    except IntegrityError:
        subject = Execution.objects.values_list("subject", flat=True).get(id=execution_id)
        return _supersede(row, execution_id, subject, now=now)


def _claimed(row: Mapping[str, Any], now: datetime) -> Claimed:
    return Claimed(
        **{
            **row,
            "cascade": bool(row["cascade"]),
            "event_time": unpack_time(row["event_time"]),
            "due_at": aware(row["due_at"]),
            "created_at": aware(row["created_at"]),
        },
        started_at=now,
    )


def _wait_for_document(execution_id: str, now: datetime) -> None:
    """Park a queued row behind the run of the same subject; nothing happens if the row is not queued."""
    _allowed(Status.QUEUED, Status.PENDING)
    row = Execution.objects.filter(id=execution_id, status=Status.QUEUED)
    with write_turn():
        parked = row.update(status=Status.PENDING, reason=Reason.DOCUMENT_BUSY, due_at=now + BUSY_RECHECK)
    if not parked:
        return
    subject = Execution.objects.filter(id=execution_id).values_list("subject", flat=True)[:1]
    if not Execution.objects.filter(subject__in=subject, slot=Slot.RUNNING).exists():
        wake(execution_ids=[execution_id], now=now)


def wake(*, execution_ids: Sequence[str], now: datetime) -> int:
    """Make rows due that wait for their document."""
    waiting = Execution.objects.filter(
        id__in=execution_ids, status=Status.PENDING, reason=Reason.DOCUMENT_BUSY
    )
    with write_turn():
        return waiting.update(due_at=now)


def settle(run: Claimed, end: Settlement, *, now: datetime) -> bool:
    """End a run and wake the row that waits for its document. False: the claim was lost, nothing was changed."""
    _allowed(Status.RUNNING, end.status)
    with write_turn():
        settled = statements.settle(
            run.id,
            run.claim,
            status=end.status.value,
            reason=str(end.reason),
            completed_at=now,
            duration_ms=(now - run.started_at).total_seconds() * 1000,
            input_hash=end.input_hash,
            written=end.written,
            model_calls=end.model_calls,
            tokens_used=end.tokens_used,
            cost_nanousd=end.cost_nanousd,
            error_type=end.error_type,
            error=storable(end.error),
            traceback=storable(end.traceback),
        )
        if settled:
            # After the commit, never in one transaction with it: a row that parks in between must be seen.
            statements.wake(run.subject, now=now)
    return settled


def is_held(run: Claimed) -> bool:
    """Tell whether the claim still stands: false once the run was given to another worker."""
    return _held(run).exists()


def postpone(run: Claimed, wait: Postponement, *, now: datetime) -> bool:
    """Put a run back to pending: a retry, a deferral. False: the claim was lost, nothing was changed.

    Where a newer row of the same document already waits, this one ends as superseded and the newer one inherits
    its stored answer: two unstarted rows of one document would break coalescing. What was put off without having
    failed has not run: it is as suspect of killing workers as before, and its last error is still to be seen.
    """
    _allowed(Status.RUNNING, Status.PENDING)
    failure: dict[str, Any] = {}
    if wait.error_type:
        failure = {
            "losses": 0,
            "error_type": wait.error_type,
            "error": storable(wait.error),
            "traceback": storable(wait.traceback),
        }
    try:
        with write_turn(), transaction.atomic():
            moved = _held(run).update(
                status=Status.PENDING,
                reason=wait.reason,
                due_at=wait.due_at,
                attempts=F("attempts") + int(wait.burns_attempt),
                deferrals=F("deferrals") + int(wait.is_deferral),
                model_calls=wait.model_calls,
                tokens_used=wait.tokens_used,
                cost_nanousd=wait.cost_nanousd,
                **failure,
            )
    except IntegrityError:
        return _supersede(_held(run), run.id, run.subject, now=now)
    return bool(moved)


def reclaim(
    workers: Sequence[str],
    *,
    now: datetime,
    company: Company | None = None,
    poison_after: int = 0,
    term: Term | None = None,
) -> int:
    """Make the runs of dead workers pending again; returns how many rows moved.

    A run that has cost `poison_after` workers in a row their lives becomes a dead letter; 0 is never.
    """
    moved = 0
    for orphan, fate in fates(workers, company=company or {}, most=poison_after, now=now):
        _allowed(Status.RUNNING, fate.status)
        row = Execution.objects.filter(id=orphan.id, claim=orphan.claim, status=Status.RUNNING)
        end = {"completed_at": ended_at(now)} if fate.status == Status.FAILED else {}
        try:
            with held(term):
                changed = row.update(**asdict(fate), **end)
        except IntegrityError:
            changed = _supersede(row, orphan.id, orphan.subject, now=now, term=term)
        moved += changed
        if changed and fate.status == Status.FAILED:
            log.error("execution.ended", execution_id=orphan.id, status="failed", reason=str(fate.reason))
            with write_turn():
                statements.wake(orphan.subject, now=now)
    return moved


def enqueue(ids: Sequence[str], *, now: datetime, term: Term | None = None) -> list[Outbound]:
    """Move pending rows into the broker's window; returns those that moved, in the order given."""
    _allowed(Status.PENDING, Status.QUEUED)
    pending = Execution.objects.filter(id__in=ids, status=Status.PENDING)
    with held(term):
        # Locked in the order of ids, as those are that an event refreshes: two of a kind never wait for each other.
        locked = pending.order_by("id").select_for_update().values_list(*Outbound._fields)
        free = {row[0]: Outbound(*row) for row in locked}
        pending.filter(id__in=free).update(status=Status.QUEUED, queued_at=now)
    return [free[id_] for id_ in ids if id_ in free]


def withdraw(rows: QuerySet[Execution], reason: Reason, *, due_at: datetime, term: Term | None = None) -> int:
    """Take queued rows out of the broker's window again: their message is lost or was never sent.

    What the broker refused counts as no loss: each loss doubles the patience with the next message.
    """
    _allowed(Status.QUEUED, Status.PENDING)
    lost = int(reason is Reason.OVERDUE)
    with held(term):
        return rows.filter(status=Status.QUEUED).update(
            status=Status.PENDING, reason=reason, due_at=due_at, publications=F("publications") + lost
        )


def abandon(rows: QuerySet[Execution], reason: Reason, *, now: datetime, term: Term | None = None) -> int:
    """End pending rows that nobody will run."""
    _allowed(Status.PENDING, Status.SKIPPED)
    pending = rows.filter(status=Status.PENDING)
    with held(term):
        return pending.update(status=Status.SKIPPED, reason=reason, completed_at=ended_at(now))


def cancel(execution_id: str, *, by: str, request_id: str | None = None, now: datetime) -> bool:
    """End a run that no worker has taken up; its message finds nothing to do. False: it had begun, or had ended.

    Who asked for that goes on record with it.
    """
    for status in UNSTARTED:
        _allowed(status, Status.SKIPPED)
    row = Execution.objects.filter(id=execution_id, status__in=UNSTARTED)
    with held(None):
        ended = row.update(status=Status.SKIPPED, reason=Reason.CANCELLED, completed_at=ended_at(now))
        if ended:
            interventions.note(
                execution_id, InterventionKind.CANCELLED, by=by, request_id=request_id, now=now
            )
    return bool(ended)


def shed(rows: QuerySet[Execution], outcome: Status, *, now: datetime) -> int:
    """End new rows for which there is no room, in the transaction that has put them on record."""
    _allowed(Status.PENDING, outcome)
    pending = rows.filter(status=Status.PENDING)
    return pending.update(status=outcome, reason=Reason.BACKPRESSURE, completed_at=ended_at(now))


def _supersede(
    run: QuerySet[Execution], id_: str, subject: str, *, now: datetime, term: Term | None = None
) -> bool:
    """End a run for which a newer row waits; that one inherits the answer that was paid for, if there is one."""
    _allowed(Status.RUNNING, Status.SKIPPED)
    paid = Attempt.objects.filter(execution_id=id_, outcome="valid").exists()
    heirloom = id_ if paid else Execution.objects.filter(id=id_).values_list("predecessor", flat=True).first()
    with held(term):
        # The newer row first: its claim locks it and then waits for the running one.
        Execution.objects.filter(subject=subject, slot=Slot.WAITING).update(predecessor=heirloom or "")
        ended = run.update(status=Status.SKIPPED, reason=Reason.SUPERSEDED, completed_at=ended_at(now))
    if ended:
        with write_turn():
            statements.wake(subject, now=now)
    return bool(ended)


def _held(run: Claimed) -> QuerySet[Execution]:
    return Execution.objects.filter(id=run.id, claim=run.claim, status=Status.RUNNING)


def _allowed(before: Status, after: Status) -> None:
    if after not in TRANSITIONS[before]:
        raise TransitionNotAllowed(f"{before} → {after}")
