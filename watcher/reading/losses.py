"""What agents have missed, put on record before the stream goes on behind it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from bson import Timestamp

from agents_app.registry import ActiveAgent
from executions_app import gaps
from executions_app.fence import Term, held
from executions_app.gaps import NewGap
from executions_app.identity import pack_time
from executions_app.models import GapKind
from watcher.observing.metrics import GAPS
from watcher.reading.event import ChangeEvent, CollectionEvent
from watcher.reading.starting import enabled_since


def history_lost(
    losers: Iterable[tuple[ActiveAgent, Timestamp]], *, until: Timestamp, code: int | None
) -> list[NewGap]:
    """Name what the oplog no longer holds: for each agent from what it had seen to where the stream begins."""
    detail = "changes were lost: the oplog no longer holds them"
    return [
        _gap(agent, GapKind.HISTORY_LOST, since, until, code=code, detail=detail) for agent, since in losers
    ]


def renamed_into(events: Iterable[CollectionEvent], agents: Sequence[ActiveAgent]) -> list[NewGap]:
    """Name the agents whose collection was replaced by another one: its documents came without an event."""
    return [
        _gap(
            agent,
            GapKind.COLLECTION_RENAMED,
            event.cluster_time,
            event.cluster_time,
            detail=f"collection {event.collection} was renamed to {event.renamed_to}: no event tells of its documents",
        )
        for event in events
        for agent in agents
        if event.renamed_to == agent.spec.watch.collection
        and not agent.spec.watch.deletes_only
        and event.cluster_time >= enabled_since(agent)
    ]


def too_large(events: Iterable[ChangeEvent], agents: Sequence[ActiveAgent]) -> list[NewGap]:
    """Name the agents that an event may have been for that cannot be sent."""
    return [
        _gap(
            agent,
            GapKind.EVENT_TOO_LARGE,
            event.cluster_time,
            event.cluster_time,
            code=10334,
            detail=f"an {event.operation} was passed over: its event is larger than 16 MB even without the document",
        )
        for event in events
        for agent in agents
        if event.collection == agent.spec.watch.collection
        and event.operation in agent.spec.watch.operations
        and event.cluster_time >= enabled_since(agent)
    ]


def record(found: Sequence[NewGap], term: Term, now: datetime) -> None:
    """Put gaps on record, each once.

    A crash between this and the new position finds the same gap again. Where more was lost in the meantime, that
    is a gap of its own: the backfill of the first may have read the documents already.
    Raises Fenced and Django's database errors; then nothing is on record.
    """
    if not found:
        return
    with held(term):
        for new in found:
            gap = new
            while (known := _record(gap, now)) < gap.until:
                gap = replace(gap, since=known)


def _record(gap: NewGap, now: datetime) -> str:
    row = gaps.record(gap, now=now)
    if row.detected_at == now:
        GAPS.labels(gap.kind.value, gap.policy.value).inc()
    return row.until


def _gap(
    agent: ActiveAgent,
    kind: GapKind,
    since: Timestamp,
    until: Timestamp,
    *,
    detail: str,
    code: int | None = None,
) -> NewGap:
    watch = agent.spec.watch
    return NewGap(
        agent_id=agent.agent_id,
        database=watch.database,
        collection=watch.collection,
        kind=kind,
        since=pack_time(since),
        until=pack_time(until),
        policy=watch.history_policy,
        code=code,
        detail=detail,
    )
