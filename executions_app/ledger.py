"""Putting events on record: rows first, everything else after."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from bson import Timestamp
from django.db import connection

from executions_app.fence import Term, held
from executions_app.identity import display_key, execution_id, pack_key, pack_time, subject_of
from executions_app.insert import NewRow, insert
from executions_app.models import Execution
from executions_app.routing import Outbound
from executions_app.states import Reason, Slot, Status

# Plain text: drivers look up how to write a member of an enumeration, for each row.
_QUEUED: Final = Status.QUEUED.value
_PENDING: Final = Status.PENDING.value
_ADMISSION: Final = Reason.ADMISSION.value


@dataclass(frozen=True, slots=True, kw_only=True)
class NewExecution:
    """An event that an agent must answer to.

    `token` is the event's resume token text; `key` the document's `_id`; `sequence` grows with the order of reading;
    `backfill` the id of the backfill that asks instead of an event, or empty. `since_first` says that an event which
    takes in earlier ones of its document is recorded with the time of the first of them. `request_id` names the HTTP
    request that asks, if one does.
    """

    agent_id: str
    version_id: int
    token: str
    database: str
    collection: str
    key: object
    operation: str
    cascade: bool
    event_time: Timestamp
    sequence: int
    priority: int
    coalesce: bool
    backfill: str = ""
    since_first: bool = False
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of events: rows to publish, in order, and how many are new. The others were on record."""

    to_publish: Sequence[Outbound]
    queued: int
    pending: int
    deferred: Mapping[str, int] = field(default_factory=dict)
    """By agent, for how many there was no room, those included that were on record."""


def record(
    events: Iterable[NewExecution], *, room: Mapping[str, int], now: datetime, term: Term | None = None
) -> Sequence[str]:
    """Put events on record as `enter` does; returns the ids that are to be published, in order."""
    return [row.id for row in enter(events, room=room, now=now, term=term).to_publish]


def enter(
    events: Iterable[NewExecution],
    *,
    room: Mapping[str, int],
    now: datetime,
    term: Term | None = None,
    along: Callable[[int], None] | None = None,
) -> Recorded:
    """Insert one row per event in one transaction; `along` writes with them, given how many are new.

    1. Rows within their agent's `room` start as queued, the rest as pending.
    2. An event read before is the same id and inserts nothing; one for a document that already waits coalesces.
    3. Where not all queued ones were inserted, those that are there are selected back.

    Raises Django's database errors, and Fenced if the term is over; then nothing was inserted.
    """
    rows = _rows(events, dict(room), now)
    with held(term):
        new = insert(rows)
        if new.total() < len(rows):
            waiting = _refresh_waiting(rows, now)
            # A row that stood in the way and was claimed since does so no longer; that is news only on PostgreSQL.
            new += insert(_without(waiting, rows))
        if along is not None:
            along(new.total())
    queued = [_outbound(row) for row in rows if row.status == _QUEUED]
    to_publish = queued if new[_QUEUED] == len(queued) else _still_queued(queued)
    deferred = Counter(row.agent_id for row in rows if row.status == _PENDING)
    return Recorded(to_publish, new[_QUEUED], new[_PENDING], deferred)


def run_of(event: NewExecution) -> str:
    """Name an event's own row, or the one that it has joined; for the transaction that has put it on record.

    A row that came and was claimed while the event's own was refused has read the document later.
    """
    own = execution_id(event.agent_id, event.token)
    if Execution.objects.filter(id=own).exists():
        return own
    subject = subject_of(event.agent_id, event.database, event.collection, event.key)
    rows = Execution.objects.filter(subject=subject).values_list("id", flat=True)
    return rows.filter(slot=Slot.WAITING).first() or rows.order_by("-created_at")[0]


def _without(waiting: Collection[str], rows: Iterable[NewRow]) -> list[NewRow]:
    return [row for row in rows if row.coalesces and row.subject not in waiting]


def _outbound(row: NewRow) -> Outbound:
    return Outbound(row.id, row.agent_id, row.database, row.collection, row.subject, row.priority)


def _still_queued(rows: Sequence[Outbound]) -> list[Outbound]:
    queued = Execution.objects.filter(id__in=[row.id for row in rows], status=Status.QUEUED)
    known = set(queued.values_list("id", flat=True))
    return [row for row in rows if row.id in known]


def _refresh_waiting(rows: Sequence[NewRow], now: datetime) -> set[str]:
    """Let rows that wait for these documents work by the newest event: its version, its author, its urgency.

    They are locked until the end of the transaction, so none is claimed in between. Returns their subjects.
    """
    newest = {row.subject: row for row in rows}
    by_users = {row.subject for row in rows if not row.cascade}
    unstarted = Execution.objects.filter(subject__in=newest, slot=Slot.WAITING)
    locked = unstarted.order_by("id").select_for_update()
    changes: defaultdict[tuple[tuple[str, object], ...], list[str]] = defaultdict(list)
    waiting = set()
    for row in locked.values(
        "id", "subject", "version_id", "cascade", "priority", "backfill", "reason", "due_at"
    ):
        subject = row["subject"]
        waiting.add(subject)
        change = _refreshed(row, newest[subject], by_user=subject in by_users, now=now)
        if change:
            changes[tuple(change.items())].append(row["id"])
    for same, ids in changes.items():
        Execution.objects.filter(id__in=ids).update(**dict(same))
    return waiting


def _refreshed(row: Mapping[str, Any], new: NewRow, *, by_user: bool, now: datetime) -> dict[str, object]:
    """Tell what a newer event changes in a row that waits."""
    change: dict[str, object] = {}
    if row["version_id"] != new.version_id:
        change["version_id"] = new.version_id
    if row["cascade"] and by_user:
        change["cascade"] = False
    if row["priority"] < new.priority:
        change["priority"] = new.priority
    if row["backfill"] and row["backfill"] != new.backfill:
        # Somebody else wants it too, so the end of that backfill must not take it away.
        change["backfill"] = ""
    if row["reason"] == Reason.REQUEUED and row["due_at"] > now and not new.backfill:
        # A dead letter that is let out slowly holds up no change of its document.
        change["due_at"] = now
    return change


def _rows(events: Iterable[NewExecution], room: dict[str, int], now: datetime) -> list[NewRow]:
    moment = connection.ops.adapt_datetimefield_value(now)
    return [_row(event, subject, room, moment) for event, subject in _last_per_document(events)]


def _last_per_document(events: Iterable[NewExecution]) -> Collection[tuple[NewExecution, str]]:
    """Keep the last event of each document, with its subject: an earlier one may be at its end already.

    A user's change among them makes it a user's.
    """
    kept: dict[str, tuple[NewExecution, str]] = {}
    for event in events:
        subject = subject_of(event.agent_id, event.database, event.collection, event.key)
        identity = subject if event.coalesce else f"{event.agent_id}\0{event.token}"
        earlier = kept.pop(identity, None)
        kept[identity] = (event if earlier is None else _joined(earlier[0], event), subject)
    return kept.values()


def _joined(earlier: NewExecution, event: NewExecution) -> NewExecution:
    time = earlier.event_time if event.since_first else event.event_time
    return replace(event, cascade=event.cascade and earlier.cascade, event_time=time)


def _row(event: NewExecution, subject: str, room: dict[str, int], moment: Any) -> NewRow:
    admitted = room.get(event.agent_id, 0) > 0
    if admitted:
        room[event.agent_id] -= 1
    return NewRow(
        id=execution_id(event.agent_id, event.token),
        agent_id=event.agent_id,
        version_id=event.version_id,
        database=event.database,
        collection=event.collection,
        document_key=pack_key(event.key),
        document_id=display_key(event.key),
        operation=event.operation,
        cascade=event.cascade,
        backfill=event.backfill,
        event_time=pack_time(event.event_time),
        sequence=event.sequence,
        subject=subject,
        coalesces=event.coalesce,
        status=_QUEUED if admitted else _PENDING,
        reason="" if admitted else _ADMISSION,
        priority=event.priority,
        due_at=moment,
        created_at=moment,
        queued_at=moment if admitted else None,
        request_id=event.request_id,
    )
