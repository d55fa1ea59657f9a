"""Backfills: asking for one, finding one, and how far it is."""

from __future__ import annotations

import json
import math
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Final

import structlog
from django.db.models import Count, Q, QuerySet, Sum

from agents_app import publish, registry
from agents_app.errors import Decision, MongoClawError, SpecInvalid, SpecProblem
from agents_app.models import Agent
from agents_app.spec import filter as watch_filter
from executions_app.models import Backfill, BackfillRange, BackfillStatus, GapStatus, StreamGap

log = structlog.get_logger(__name__)

SHORTEST_PREFIX: Final = 4
ACTIVE: Final = (BackfillStatus.PLANNED, BackfillStatus.RUNNING, BackfillStatus.PAUSED)


class BackfillNotFound(MongoClawError):
    """There is no such backfill."""

    decision: ClassVar[Decision] = Decision.PERMANENT
    code: ClassVar[str] = "backfill_not_found"


class BackfillRefused(MongoClawError):
    """The agent cannot be backfilled as it is."""

    decision: ClassVar[Decision] = Decision.PERMANENT
    code: ClassVar[str] = "backfill_refused"


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked for: documents that match `filter` too, `limit` of them, at most `rate` a second."""

    agent_id: str
    filter: Mapping[str, Any] | None = None
    limit: int | None = None
    rate: float | None = None

    @property
    def filter_text(self) -> str:
        """The filter as Extended JSON, or empty."""
        return json.dumps(watch_filter.to_extended_json(self.filter)) if self.filter else ""


@dataclass(frozen=True, slots=True)
class Progress:
    """Documents of a backfill so far, and its ranges."""

    read: int
    recorded: int
    current: int
    ranges: int
    done: int

    def share(self, backfill: Backfill) -> float | None:
        """How much of it is done, from 0 to 1, by the estimate; None if that is not known."""
        if backfill.status == BackfillStatus.COMPLETED:
            return 1.0
        shares = []
        if backfill.estimate:
            shares.append(self.read / backfill.estimate)
        if backfill.limit:
            shares.append(self.recorded / backfill.limit)
        return min(max(shares), 1.0) if shares else None


def wish(agent_id: str, *, filter_: object = None, limit: object = None, rate: object = None) -> Wish:
    """Check what was asked for. `filter_` is a mapping in Extended JSON.

    Raises SpecInvalid with every problem and its place.
    """
    problems: list[SpecProblem] = []
    query = _query(filter_, problems)
    if limit is not None and not (isinstance(limit, int) and not isinstance(limit, bool) and limit > 0):
        problems.append(SpecProblem("limit", "must be a whole number > 0"))
    if rate is not None and not _is_positive(rate):
        problems.append(SpecProblem("rate", "must be a number of documents a second > 0"))
    if problems:
        raise SpecInvalid(errors=problems)
    return Wish(
        agent_id,
        query or None,
        limit if isinstance(limit, int) else None,
        float(rate) if isinstance(rate, int | float) else None,
    )


def read_filter(text: str) -> object:
    """Read a filter that was given as text. Raises SpecInvalid if it is no JSON."""
    try:
        return json.loads(text) if text.strip() else None
    except ValueError as error:
        raise SpecInvalid(errors=[SpecProblem("filter", f"is not JSON: {error}")]) from None


def query_of(backfill: Backfill) -> Mapping[str, Any] | None:
    """Return the backfill's own filter, ready for `find`."""
    return watch_filter.to_query(json.loads(backfill.filter)) if backfill.filter else None


def ask(asked: Wish, *, by: str, now: datetime) -> Backfill:
    """Plan a backfill of an agent that is at work.

    Raises AgentNotFound, and BackfillRefused with the remedy for an agent that is disabled or held.
    """
    refuse_idle(asked.agent_id)
    return plan(
        asked.agent_id,
        origin=by,
        now=now,
        filter_text=asked.filter_text,
        limit=asked.limit,
        rate=asked.rate,
    )


def refuse_idle(agent_id: str) -> Agent:
    """Return an agent that can be backfilled. Raises AgentNotFound, BackfillRefused."""
    agent = publish.get(agent_id)
    if agent.current_version_id is None:
        raise BackfillRefused(f"Agent '{agent_id}' has no published version: publish it first")
    if not agent.enabled:
        raise BackfillRefused(
            f"Agent '{agent_id}' is disabled: `mongoclaw agents enable {agent_id}` lets it work, then ask again"
        )
    gap = StreamGap.objects.filter(agent_id=agent_id, status=GapStatus.OPEN, policy="fail").first()
    if gap is not None:
        raise BackfillRefused(
            f"Agent '{agent_id}' is held by gap {gap.id[:8]}: close the gap first "
            f"(`mongoclaw streams gaps` lists it), then ask again"
        )
    if registry.spec_of(agent.current_version_id).watch.deletes_only:
        raise BackfillRefused(
            f"Agent '{agent_id}' watches deletes only: no document is there to be worked on"
        )
    return agent


def plan(
    agent_id: str,
    *,
    origin: str,
    now: datetime,
    filter_text: str = "",
    limit: int | None = None,
    rate: float | None = None,
) -> Backfill:
    """Put a backfill on record without asking how its agent is; a watcher takes it up. `rate` is documents a second."""
    backfill = Backfill.objects.create(
        id=uuid.uuid4().hex,
        agent_id=agent_id,
        origin=origin,
        filter=filter_text,
        limit=limit,
        rate=rate,
        created_at=now,
    )
    log.info("backfill.planned", backfill=backfill.id, agent_id=agent_id, origin=origin)
    return backfill


def plan_for_gap(agent_id: str, gap_id: str, *, now: datetime) -> Backfill:
    """Plan a backfill of everything, or return the one that waits already: it will see what this gap has hidden."""
    # Kept from starting or being cancelled before the gap is on record with it.
    waiting = (
        Backfill.objects.select_for_update()
        .filter(
            agent_id=agent_id, status=BackfillStatus.PLANNED, filter="", limit=None, origin__startswith="gap "
        )
        .first()
    )
    return waiting or plan(agent_id, origin=f"gap {gap_id}", now=now)


def find(id_or_prefix: str) -> Backfill:
    """Find a backfill by its id, or by the beginning of it. Raises BackfillNotFound."""
    text = id_or_prefix.strip().lower()
    rows = Backfill.objects.select_related("agent")
    exact = rows.filter(id=text).first()
    if exact is not None:
        return exact
    found = list(rows.filter(id__startswith=text)[:2]) if len(text) >= SHORTEST_PREFIX else []
    if len(found) != 1:
        why = "several begin so; give more characters" if found else "`mongoclaw backfills list` names them"
        raise BackfillNotFound(f"Backfill '{id_or_prefix}' not found: {why}")
    return found[0]


def newest(*, agent_id: str | None = None, status: str | None = None) -> QuerySet[Backfill]:
    """List backfills, newest first."""
    wanted = {"agent_id": agent_id, "status": status}
    return Backfill.objects.filter(**{name: value for name, value in wanted.items() if value}).select_related(
        "agent"
    )


def progress_of(ids: list[str]) -> dict[str, Progress]:
    """Add up the ranges of backfills."""
    sums = (
        BackfillRange.objects.filter(backfill_id__in=ids)
        .order_by()
        .values_list("backfill_id")
        .annotate(
            Sum("read"),
            Sum("recorded"),
            Sum("current"),
            Count("id"),
            finished=Count("id", filter=Q(done=True)),
        )
    )
    none = Progress(0, 0, 0, 0, 0)
    return {**dict.fromkeys(ids, none), **{id_: Progress(*numbers) for id_, *numbers in sums}}


def waits_for(backfill: Backfill, agent: Agent) -> str:
    """Say in words what an unfinished backfill waits for, or nothing."""
    if backfill.status == BackfillStatus.PLANNED:
        return "a watcher that takes it up"
    if backfill.status == BackfillStatus.RUNNING and not agent.enabled:
        return f"its agent: `mongoclaw agents enable {agent.id}`"
    return ""


def _query(value: object, problems: list[SpecProblem]) -> Mapping[str, Any] | None:
    if value is None:
        return None
    if not isinstance(value, Mapping):
        problems.append(SpecProblem("filter", "must be a mapping of keys to values"))
        return None
    try:
        query: Mapping[str, Any] = watch_filter.to_query(value)
    except ValueError as error:
        problems.append(SpecProblem("filter", str(error)))
        return None
    problems += [SpecProblem(f"filter.{path}", why) for path, why in watch_filter.forbidden(query)]
    return query


def _is_positive(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < math.inf
