"""Gaps on record: what an agent has not seen, and what was decided about it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import Final

import structlog
from django.db import transaction
from django.db.models import QuerySet

from agents_app import registry
from agents_app.errors import Decision, MongoClawError
from agents_app.publish import mark_health
from agents_app.spec import HistoryPolicy
from executions_app import backfills
from executions_app.database import write_turn
from executions_app.models import GapKind, GapStatus, StreamGap
from executions_app.notifications import outbox

log = structlog.get_logger(__name__)


SHORTEST_PREFIX: Final = 4
UNSETTLED: Final = (GapStatus.OPEN.value, GapStatus.BACKFILLING.value)


class GapNotFound(MongoClawError):
    """There is no such gap."""

    decision = Decision.PERMANENT
    code = "gap_not_found"


class GapNotOpen(MongoClawError):
    """The gap is not open: somebody has decided about it already."""

    decision = Decision.PERMANENT
    code = "gap_not_open"


class GapNotBackfillable(MongoClawError):
    """A backfill brings nothing back here: the agent watches deletes only, and what is deleted is not there."""

    decision = Decision.PERMANENT
    code = "gap_not_backfillable"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewGap:
    """What an agent has not seen. `since` and `until` are cluster times as 16 hexadecimal digits."""

    agent_id: str
    database: str
    collection: str
    kind: GapKind
    since: str
    until: str
    policy: HistoryPolicy
    code: int | None = None
    detail: str = ""

    @property
    def id(self) -> str:
        """The same gap, found again after a crash, has the same id."""
        parts = (self.agent_id, self.database, self.collection, self.kind, self.since)
        return blake2b("\0".join(parts).encode(), digest_size=16).hexdigest()


def record(gap: NewGap, *, now: datetime) -> StreamGap:
    """Put a gap on record once and act by its policy.

    `backfill` plans one in the same transaction; `skip_with_gap_record` leaves the gap open as a warning that
    holds nobody; `fail` holds the agent.
    """
    with write_turn(), transaction.atomic():
        known = StreamGap.objects.filter(id=gap.id).first()
        if known is not None:
            return known
        row = _create(gap, now)
        outbox.note_gap(row, now=now)
        if gap.policy is HistoryPolicy.FAIL:
            mark_health(gap.agent_id, "unhealthy", f"held: {gap.detail}; see `mongoclaw streams gaps`")
    log.error(
        "stream.gap",
        gap=gap.id,
        agent_id=gap.agent_id,
        kind=gap.kind,
        policy=gap.policy,
        since=gap.since,
        until=gap.until,
        code=gap.code,
    )
    return row


def _create(gap: NewGap, now: datetime) -> StreamGap:
    backfill = None
    if gap.policy is HistoryPolicy.BACKFILL:
        backfill = backfills.plan_for_gap(gap.agent_id, gap.id, now=now)
    return StreamGap.objects.create(
        id=gap.id,
        agent_id=gap.agent_id,
        database=gap.database,
        collection=gap.collection,
        kind=gap.kind,
        code=gap.code,
        detail=gap.detail,
        since=gap.since,
        until=gap.until,
        policy=gap.policy,
        status=GapStatus.BACKFILLING if backfill else GapStatus.OPEN,
        backfill=backfill,
        detected_at=now,
    )


def close(gap_id: str, *, by: str, resolution: str, now: datetime) -> StreamGap:
    """Close a gap: it is known and needs nothing more; an agent that it held goes on.

    Raises GapNotOpen, also for a gap that does not exist.
    """
    with write_turn(), transaction.atomic():
        unsettled = StreamGap.objects.filter(id=gap_id, status__in=UNSETTLED)
        if not unsettled.update(status=GapStatus.CLOSED, closed_at=now, closed_by=by, resolution=resolution):
            raise _not_open(gap_id)
        row = StreamGap.objects.get(id=gap_id)
        _let_go(row)
    log.info("stream.gap_closed", gap=gap_id, by=by, resolution=resolution)
    return row


def settle_by_backfill(gap_id: str, *, by: str, now: datetime) -> StreamGap:
    """Have the agent's documents worked through again; that closes the gap. An agent that it held goes on at once.

    Raises GapNotOpen, also for a gap that does not exist or is being backfilled, and GapNotBackfillable.
    """
    with write_turn(), transaction.atomic():
        row = StreamGap.objects.filter(id=gap_id).select_related("agent").first()
        if row is None or row.status != GapStatus.OPEN:
            raise _not_open(gap_id)
        _refuse_deletes_only(row)
        backfill = backfills.plan_for_gap(row.agent_id, gap_id, now=now)
        decided = StreamGap.objects.filter(id=gap_id, status=GapStatus.OPEN)
        # The decision takes the place of the policy: should the backfill be cancelled, the agent is not held again.
        if not decided.update(
            status=GapStatus.BACKFILLING, backfill=backfill, policy=HistoryPolicy.BACKFILL.value
        ):
            raise _not_open(gap_id)
        _let_go(row)
    log.info("stream.gap_backfilling", gap=gap_id, by=by, backfill=backfill.id)
    return StreamGap.objects.get(id=gap_id)


def reopen(backfill_id: str) -> int:
    """Open the gaps again that a backfill was to close and will not; returns how many."""
    return waiting(backfill_id).update(status=GapStatus.OPEN, backfill=None)


def waiting_for(backfill_id: str) -> list[str]:
    """Name the gaps that a backfill is to close."""
    return list(waiting(backfill_id).values_list("id", flat=True))


def waiting(backfill_id: str) -> QuerySet[StreamGap]:
    """The gaps that a backfill is to close."""
    return StreamGap.objects.filter(backfill_id=backfill_id, status=GapStatus.BACKFILLING)


def unsettled() -> QuerySet[StreamGap]:
    """The gaps that are not closed, newest first."""
    return StreamGap.objects.filter(status__in=UNSETTLED)


def listed(
    *, database: str | None = None, agent_id: str | None = None, closed: bool = False
) -> QuerySet[StreamGap]:
    """List gaps, newest first; those that are closed only on request."""
    rows = StreamGap.objects.all() if closed else unsettled()
    wanted = {"database": database, "agent_id": agent_id}
    return rows.filter(**{name: value for name, value in wanted.items() if value})


def find(id_or_prefix: str) -> StreamGap:
    """Find a gap by its id, or by the beginning of it. Raises GapNotFound."""
    text = id_or_prefix.strip().lower()
    found = list(StreamGap.objects.filter(id__startswith=text)[:2]) if len(text) >= SHORTEST_PREFIX else []
    if len(found) != 1:
        why = (
            "several begin so; give more characters" if found else "`mongoclaw streams gaps list` names them"
        )
        raise GapNotFound(f"Gap '{id_or_prefix}' not found: {why}")
    return found[0]


def held_since() -> dict[str, str]:
    """Return the agents that an open gap holds, each with the cluster time from which it has to go on."""
    holding = _holding().order_by("-until").values_list("agent_id", "until")
    return dict(holding)


def _holding() -> QuerySet[StreamGap]:
    return StreamGap.objects.filter(status=GapStatus.OPEN, policy=HistoryPolicy.FAIL.value)


def _let_go(row: StreamGap) -> None:
    """Let an agent go on that this gap held, unless another one holds it too."""
    if row.policy == HistoryPolicy.FAIL and not _holding().filter(agent_id=row.agent_id).exists():
        mark_health(row.agent_id, "unknown")


def _not_open(gap_id: str) -> GapNotOpen:
    row = StreamGap.objects.filter(id=gap_id).first()
    if row is None:
        why = "it does not exist; `mongoclaw streams gaps list` names those that do"
    elif row.status == GapStatus.BACKFILLING:
        short = str(row.backfill_id)[:8]
        why = f"backfill {short} is to close it; `mongoclaw backfills show {short}` says how far that is"
    else:
        why = f"it was closed by {row.closed_by}; nothing is left to do"
    return GapNotOpen(f"Gap {gap_id[:8]} is not open: {why}", gap=gap_id)


def _refuse_deletes_only(row: StreamGap) -> None:
    version = row.agent.current_version_id
    if version is not None and registry.spec_of(version).watch.deletes_only:
        raise GapNotBackfillable
