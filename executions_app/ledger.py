"""Putting events on record: rows first, everything else after."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from bson import Timestamp
from django.db.models import Count, Exists, OuterRef, QuerySet

from executions_app.fence import Term, held
from executions_app.identity import display_key, execution_id, pack_key, subject_of
from executions_app.models import Execution
from executions_app.states import UNSTARTED, Reason, Status


@dataclass(frozen=True, slots=True, kw_only=True)
class NewExecution:
    """An event that an agent must answer to.

    `token` is the event's resume token text; `key` the document's `_id`; `sequence` grows with the order of reading;
    `backfill` the id of the backfill that asks instead of an event, or empty. `since_first` says that an event which
    takes in earlier ones of its document is recorded with the time of the first of them.
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


def pack_time(time: Timestamp) -> str:
    """Write a cluster time as 16 hexadecimal digits, which sort as the times do."""
    return f"{time.time:08x}{time.inc:08x}"


def record(
    events: Iterable[NewExecution], *, room: Mapping[str, int], now: datetime, term: Term | None = None
) -> list[str]:
    """Insert one row per event in one transaction and return the ids that are to be published, in order.

    1. Rows within their agent's `room` start as queued, the rest as pending.
    2. An event read before is the same id and inserts nothing; one for a document that already waits coalesces.
    3. What was really inserted as queued is selected back: a conflict leaves no trace otherwise.

    Raises Django's database errors, and Fenced if the term is over; then nothing was inserted.
    """
    kept = _last_per_document(events)
    left = dict(room)
    rows = [_row(event, left, now) for event in kept]
    if not rows:
        return []
    with held(term):
        _refresh_waiting(rows)
        Execution.objects.bulk_create(rows, ignore_conflicts=True)
    queued = [row.id for row in rows if row.status == Status.QUEUED]
    if not queued:
        return []
    known = set(Execution.objects.filter(id__in=queued, status=Status.QUEUED).values_list("id", flat=True))
    return [id_ for id_ in queued if id_ in known]


def _refresh_waiting(rows: Sequence[Execution]) -> None:
    """Let rows that already wait for these documents work by the version of the newest event, and for its author.

    Before the insert: a row that is claimed in between no longer conflicts, so its event becomes a row.
    """
    unstarted = Execution.objects.filter(status__in=UNSTARTED, coalesce_key__isnull=False)
    by_version: defaultdict[int, list[str]] = defaultdict(list)
    for row in rows:
        by_version[row.version_id].append(row.subject)
    for version, subjects in by_version.items():
        unstarted.filter(subject__in=subjects).exclude(version_id=version).update(version_id=version)
    by_users = [row.subject for row in rows if not row.cascade]
    if by_users:
        unstarted.filter(subject__in=by_users, cascade=True).update(cascade=False)


def in_flight() -> dict[str, int]:
    """Count each agent's rows that are in the broker or running."""
    counted: Counter[str] = Counter()
    for status in (Status.QUEUED, Status.RUNNING):
        rows = Execution.objects.filter(status=status).values_list("agent_id")
        counted.update(dict(rows.annotate(Count("id")).order_by()))
    return dict(counted)


def room_of(agents: Sequence[str], window: int) -> dict[str, int]:
    """Tell how many more rows of each agent may be in the broker."""
    busy = in_flight()
    return {agent: max(0, window - busy.get(agent, 0)) for agent in agents}


def unblocked(rows: QuerySet[Execution]) -> QuerySet[Execution]:
    """Leave out rows that must wait for an earlier row of the same document (`coalesce: false`) or a running one."""
    same = Execution.objects.filter(subject=OuterRef("subject"))
    ahead = same.filter(status__in=UNSTARTED, event_time__lt=OuterRef("event_time"))
    tied = same.filter(
        status__in=UNSTARTED, event_time=OuterRef("event_time"), sequence__lt=OuterRef("sequence")
    )
    running = same.filter(status=Status.RUNNING)
    return rows.exclude(Exists(ahead)).exclude(Exists(tied)).exclude(Exists(running))


def _last_per_document(events: Iterable[NewExecution]) -> list[NewExecution]:
    """Keep the last event of each document: an earlier one may be on record and at its end already.

    A user's change among them makes it a user's.
    """
    kept: dict[tuple[str, str], NewExecution] = {}
    for event in events:
        place = f"{event.database}\0{event.collection}\0{pack_key(event.key)}"
        identity = (event.agent_id, place if event.coalesce else event.token)
        earlier = kept.pop(identity, None)
        kept[identity] = event if earlier is None else _joined(earlier, event)
    return list(kept.values())


def _joined(earlier: NewExecution, event: NewExecution) -> NewExecution:
    time = earlier.event_time if event.since_first else event.event_time
    return replace(event, cascade=event.cascade and earlier.cascade, event_time=time)


def _row(event: NewExecution, room: dict[str, int], now: datetime) -> Execution:
    admitted = room.get(event.agent_id, 0) > 0
    if admitted:
        room[event.agent_id] -= 1
    subject = subject_of(event.agent_id, event.database, event.collection, event.key)
    return Execution(
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
        coalesce_key=subject if event.coalesce else None,
        status=Status.QUEUED if admitted else Status.PENDING,
        reason="" if admitted else Reason.ADMISSION,
        priority=event.priority,
        due_at=now,
        created_at=now,
        queued_at=now if admitted else None,
    )
