"""A backfill at work: its ranges, and what reads and compares for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from pymongo import MongoClient

from agents_app.registry import ActiveAgent
from enrichment.standing import standing_of
from executions_app.backfills import query_of
from executions_app.models import Backfill, BackfillRange
from watcher.backfill.currency import Currency
from watcher.backfill.key import Key, from_text
from watcher.backfill.pacing import Pace
from watcher.backfill.ranges import Bounds
from watcher.backfill.reading import Found, Reader
from watcher.backfill.recording import Round
from watcher.backfill.selecting import Selection

Document = dict[str, Any]

CHUNK: Final = 500
"""Documents of one round: as many rows are one transaction, and as many are read again after a crash at most."""

LEAST_CHUNK: Final = 50
"""Documents that a round looks at however low the rate is: few of them may match."""


@dataclass(frozen=True, slots=True)
class Tools:
    """What works for one version of an agent. Safe to share between threads."""

    agent: ActiveAgent
    reader: Reader
    selection: Selection
    currency: Currency


@dataclass(frozen=True, slots=True)
class Span:
    """A range and how far it is. `recorded` counts what has been put on record."""

    number: int
    bounds: Bounds
    cursor: Key | None
    recorded: int
    done: bool


@dataclass(slots=True)
class Job:
    """A backfill at work. The schedule hands its spans out, each to one thread at a time."""

    backfill: Backfill
    filter: Mapping[str, Any] | None
    pace: Pace
    tools: Tools | None = None
    """None while the agent is not at work: the backfill waits."""

    idle: list[Span] | None = None
    """The spans that no thread works on; None before the backfill has started."""

    busy: int = 0
    resting_until: float = float("-inf")
    served_at: float = float("-inf")

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to read."""
        return self.idle is not None and not self.busy and all(span.done for span in self.idle)


def job_of(backfill: Backfill) -> Job:
    """Take a backfill up where the ledger has it."""
    job = Job(backfill, query_of(backfill), Pace(backfill.rate))
    if backfill.started_at is not None:
        job.idle = spans_of(backfill.id)
    return job


def spans_of(backfill_id: str) -> list[Span]:
    """Read the ranges of a backfill that has started."""
    return [_span(row) for row in BackfillRange.objects.filter(backfill_id=backfill_id)]


def tools_for(
    client: MongoClient[Document],
    agent: ActiveAgent,
    filter_: Mapping[str, Any] | None,
    *,
    now: Callable[[], datetime],
) -> Tools:
    """Prepare the tools for an agent's version."""
    standing = standing_of(agent.spec)
    namespace = agent.spec.watch_namespace
    path = None if standing.is_elsewhere else standing.hash_path
    return Tools(
        agent,
        Reader(client, namespace, hash_path=path),
        Selection(client, namespace, [agent.spec.watch.filter, filter_]),
        Currency(client, standing, now=now),
    )


def _span(row: BackfillRange) -> Span:
    bounds = Bounds(from_text(row.lower), from_text(row.upper))
    return Span(row.number, bounds, from_text(row.cursor), row.recorded, row.done)


def look(job: Job, tools: Tools, span: Span) -> Round:
    """Read the next chunk of a span and find out what of it is to be put on record. Writes nothing.

    Raises FilterUnusable, and pymongo's errors.
    """
    most = job.pace.portion(CHUNK)
    chunk = tools.reader.read(span.bounds, span.cursor, max(most, LEAST_CHUNK))
    matching = tools.selection.matching([found.key for found in chunk.found], not_before=chunk.time)
    wanted = [found for found in chunk.found if found.key in matching]
    current = tools.currency.current(wanted, time=chunk.time)
    room = None if job.backfill.limit is None else job.backfill.limit - span.recorded
    if room is not None:
        most = min(most, room)
    kept = _first_rows(chunk.found, matching - current, most)
    cut = len(kept) < len(chunk.found)
    return Round(
        backfill_id=job.backfill.id,
        number=span.number,
        before=span.cursor,
        cursor=kept[-1].key if kept else span.cursor,
        keys=[found.key for found in kept if found.key in matching and found.key not in current],
        time=chunk.time,
        read=len(kept),
        current=sum(found.key in current for found in kept),
        exhausted=chunk.exhausted and not cut,
        room=room,
    )


def after(span: Span, round_: Round, recorded: int) -> Span:
    """Return the span as the ledger has it after a round."""
    return replace(
        span, cursor=round_.cursor, recorded=span.recorded + recorded, done=round_.ends_with(recorded)
    )


def _first_rows(found: tuple[Found, ...], to_record: frozenset[Key], most: int) -> tuple[Found, ...]:
    """Return the documents up to the last that there is room for: the next round begins behind it."""
    room = most
    for index, document in enumerate(found):
        if document.key not in to_record:
            continue
        if room == 0:
            return found[:index]
        room -= 1
    return found
