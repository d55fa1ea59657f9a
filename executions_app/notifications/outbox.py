"""What is to be told: written with what has happened, or found in the ledger, exactly once.

Gaps are written in their own transaction. Dead letters are found behind the work, as they are counted (ADR 0021):
what ended before a time is on record for good, and the cursor moves in the transaction that writes what it passed.
Trouble that lasts is found by looking again and again; see `alarms`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import blake2b
from typing import Any

from django.db.models import Count

from executions_app import counting
from executions_app.fence import Term, held
from executions_app.forgetting import forget_oldest
from executions_app.models import Execution, Notification, NotificationCursor, StreamGap
from executions_app.states import Status
from mongoclaw_project.config import current
from mongoclaw_project.config.hooks import NotificationEvent


def is_wanted(event: NotificationEvent) -> bool:
    """Whether somebody is to be told of such events."""
    settings = current().notifications
    return bool(settings.url) and event in settings.events


def note_gap(gap: StreamGap, *, now: datetime) -> None:
    """Write that there is a gap, in the transaction that puts it on record."""
    if not is_wanted(NotificationEvent.GAP):
        return
    body = {
        "gap_id": gap.id,
        "database": gap.database,
        "collection": gap.collection,
        "kind": gap.kind,
        "policy": gap.policy,
    }
    put([made(NotificationEvent.GAP, gap.agent_id, gap.id, body, now)])


def find_dead_letters(*, now: datetime, term: Term | None) -> int:
    """Write one notification for each agent whose runs have failed since the last look; returns how many.

    Those that failed before anybody wanted to be told are not told. Raises Django's database errors, and Fenced.
    """
    if not is_wanted(NotificationEvent.DEAD_LETTER):
        forget_oldest(NotificationCursor.objects.all())
        return 0
    until = counting.final_before()
    if until is None:
        return 0
    with held(term):
        cursor, _ = NotificationCursor.objects.select_for_update().get_or_create(
            id=NotificationCursor.ONLY, defaults={"until": until}
        )
        if cursor.until >= until:
            return 0
        rows = [
            made(NotificationEvent.DEAD_LETTER, agent_id, until.isoformat(), _summed(reasons), now)
            for agent_id, reasons in _failures(cursor.until, until).items()
        ]
        put(rows)
        NotificationCursor.objects.filter(id=cursor.id).update(until=until)
    return len(rows)


def _failures(since: datetime, until: datetime) -> dict[str, Counter[str]]:
    failed = Execution.objects.filter(status=Status.FAILED, completed_at__gte=since, completed_at__lt=until)
    found: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for agent_id, reason, runs in failed.order_by().values_list("agent_id", "reason").annotate(Count("id")):
        found[agent_id][reason] = runs
    return dict(found)


def _summed(reasons: Counter[str]) -> dict[str, Any]:
    return {"count": reasons.total(), "reasons": dict(reasons)}


def made(
    event: NotificationEvent, agent_id: str, about: str, body: Mapping[str, Any], now: datetime
) -> Notification:
    """Return a notification that is not on record yet. What is told of the same `about` is the same one.

    `agent_id` is empty for what no single agent has.
    """
    id_ = blake2b(f"{event}\0{agent_id}\0{about}".encode(), digest_size=16).hexdigest()
    told = {"id": id_, "event": event, "agent_id": agent_id or None, "at": now.isoformat(), **body}
    return Notification(id=id_, event=event, agent_id=agent_id, body=told, created_at=now, due_at=now)


def put(rows: Sequence[Notification]) -> None:
    """Write notifications, in the transaction of what they tell of."""
    Notification.objects.bulk_create(rows, ignore_conflicts=True)
