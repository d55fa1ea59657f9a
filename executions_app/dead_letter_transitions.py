"""What may happen to a dead letter: it runs again, it is put aside, it is brought back.

Every change is a compare-and-set in one transaction; the rows that were not in the state it asks for stay as they are.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any, Final

from django.db import IntegrityError, OperationalError, transaction
from django.db.models import OuterRef, QuerySet, Subquery

from agents_app.models import Agent
from executions_app.database import write_turn
from executions_app.models import Discard, Execution, Requeue, StrayMessage
from executions_app.states import Reason, Status
from executions_app.text import storable

_ANEW: Final = ("attempts", "deferrals", "publications", "losses")


def requeue(
    due: Mapping[str, datetime], *, by: str, request_id: str | None = None, now: datetime
) -> list[str]:
    """Give dead letters all their tries again, by their agent's current version; returns those that moved.

    `due` says for each id when it may start, `request_id` which HTTP request asks for it. How each had ended stays on
    record beside it. A row stays where a newer one of its document waits, which does the work, and where the agent was
    deleted.
    """
    try:
        return _requeue(due, by=by, request_id=request_id, now=now)
    except (IntegrityError, OperationalError):
        # One of them stands beside a newer row, or met an event's transaction that took the places of the same
        # documents in another order (PostgreSQL ends one of the two): one by one, none waits for another.
        moved = []
        for id_, at in due.items():
            with suppress(IntegrityError):
                moved += _requeue({id_: at}, by=by, request_id=request_id, now=now)
        return moved


def _requeue(due: Mapping[str, datetime], *, by: str, request_id: str | None, now: datetime) -> list[str]:
    version = Agent.objects.filter(id=OuterRef("agent_id")).values("current_version")
    alive = Agent.objects.filter(archived_at=None).values("id")
    together: defaultdict[datetime, list[str]] = defaultdict(list)
    with write_turn(), transaction.atomic():
        moved = _locked(Execution.objects.filter(id__in=due, status=Status.FAILED, agent_id__in=alive))
        _remember(moved, by=by, now=now)
        for id_ in moved:
            together[due[id_]].append(id_)
        for due_at, ids in together.items():
            Execution.objects.filter(id__in=ids, status=Status.FAILED).update(
                status=Status.PENDING,
                reason=Reason.REQUEUED,
                due_at=due_at,
                completed_at=None,
                version=Subquery(version),
                request_id=request_id,
                **dict.fromkeys(_ANEW, 0),
            )
    return moved


def _remember(ids: Sequence[str], *, by: str, now: datetime) -> None:
    """Put on record how runs have ended, before their rows begin anew."""
    ended = Execution.objects.filter(id__in=ids).values_list(
        "id", "completed_at", "reason", "error_type", "error", "attempts"
    )
    Requeue.objects.bulk_create(
        Requeue(
            execution_id=id_,
            at=now,
            by=by,
            died_at=died_at or now,
            reason=reason,
            error_type=error_type,
            error=error,
            attempts=attempts,
        )
        for id_, died_at, reason, error_type, error, attempts in ended
    )


def discard(ids: Sequence[str], *, by: str, why: str, now: datetime) -> list[str]:
    """Put dead letters aside, runs and messages alike; returns those that were there."""
    return [
        *_discard(Execution.objects.all(), "execution_id", ids, by=by, why=why, now=now),
        *_discard(StrayMessage.objects.all(), "message_id", ids, by=by, why=why, now=now),
    ]


def restore(ids: Sequence[str], *, by: str, now: datetime) -> list[str]:
    """Bring discarded dead letters back; returns those that were discarded."""
    return [
        *_restore(Execution.objects.all(), "execution_id", ids, by=by, now=now),
        *_restore(StrayMessage.objects.all(), "message_id", ids, by=by, now=now),
    ]


def _discard(
    letters: QuerySet[Any], of: str, ids: Sequence[str], *, by: str, why: str, now: datetime
) -> list[str]:
    with write_turn(), transaction.atomic():
        moved = _locked(letters.filter(id__in=ids, status=Status.FAILED))
        letters.filter(id__in=moved, status=Status.FAILED).update(status=Status.DISCARDED)
        Discard.objects.bulk_create(Discard(**{of: id_}, at=now, by=by, why=storable(why)) for id_ in moved)
    return moved


def _restore(letters: QuerySet[Any], of: str, ids: Sequence[str], *, by: str, now: datetime) -> list[str]:
    with write_turn(), transaction.atomic():
        moved = _locked(letters.filter(id__in=ids, status=Status.DISCARDED))
        letters.filter(id__in=moved, status=Status.DISCARDED).update(status=Status.FAILED)
        in_force = Discard.objects.filter(**{f"{of}__in": moved}, restored_at=None)
        in_force.update(restored_at=now, restored_by=by)
    return moved


def _locked(rows: QuerySet[Any]) -> list[str]:
    return list(rows.order_by("id").select_for_update().values_list("id", flat=True))
