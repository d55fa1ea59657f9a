"""Gaps on record: what an agent has not seen, and what was decided about it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b

import structlog
from django.db import transaction

from agents_app.errors import Decision, MongoClawError
from agents_app.publish import mark_health
from agents_app.spec import HistoryPolicy
from executions_app import backfills
from executions_app.database import write_turn
from executions_app.models import GapKind, GapStatus, StreamGap

log = structlog.get_logger(__name__)


class GapNotOpen(MongoClawError):
    """The gap is not open: somebody has decided about it already."""

    decision = Decision.PERMANENT
    code = "gap_not_open"


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
        backfill = None
        if gap.policy is HistoryPolicy.BACKFILL:
            backfill = backfills.plan_for_gap(gap.agent_id, gap.id, now=now)
        row = StreamGap.objects.create(
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


def close(gap_id: str, *, by: str, resolution: str, now: datetime) -> StreamGap:
    """Close a gap: it is known and needs nothing more; an agent that it held goes on.

    Raises GapNotOpen, also for a gap that does not exist.
    """
    with write_turn(), transaction.atomic():
        closed = StreamGap.objects.filter(id=gap_id).exclude(status=GapStatus.CLOSED)
        if not closed.update(status=GapStatus.CLOSED, closed_at=now, closed_by=by, resolution=resolution):
            raise GapNotOpen(f"gap {gap_id} is not open", gap=gap_id)
        row = StreamGap.objects.get(id=gap_id)
        if row.policy == HistoryPolicy.FAIL:
            mark_health(row.agent_id, "unknown")
    log.info("stream.gap_closed", gap=gap_id, by=by, resolution=resolution)
    return row


def held_since() -> dict[str, str]:
    """Return the agents that an open gap holds, each with the cluster time from which it has to go on."""
    held = StreamGap.objects.filter(status=GapStatus.OPEN, policy=HistoryPolicy.FAIL.value)
    return dict(held.order_by("-until").values_list("agent_id", "until"))


def waiting_for(backfill_id: str) -> list[str]:
    """Return the gaps that are closed once this backfill completes."""
    waiting = StreamGap.objects.filter(backfill_id=backfill_id, status=GapStatus.BACKFILLING)
    return list(waiting.values_list("id", flat=True))


def reopen(backfill_id: str) -> None:
    """Show the gaps of a backfill that came to nothing as open again."""
    reopened = waiting_for(backfill_id)
    with write_turn():
        StreamGap.objects.filter(id__in=reopened).update(status=GapStatus.OPEN)
    for gap_id in reopened:
        log.warning("stream.gap_reopened", gap=gap_id, backfill=backfill_id)
