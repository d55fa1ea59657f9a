"""A range of a stream once more: rows for agents even where they have run before."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from bson import Timestamp
from pymongo import MongoClient

from agents_app.registry import ActiveAgent
from watcher.backfill.recording import BELOW_LIVE
from watcher.matching.matcher import Matcher, Unhealthy
from watcher.reading.event import ChangeEvent
from watcher.reading.pipeline import build_pipeline
from watcher.reading.stream import ChangeStream, StartPoint
from watcher.recording.ingest import Ingest

Document = dict[str, Any]

MAX_AWAIT_MS: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """What is read again: the changes of a database from `start` to `end`, both included."""

    database: str
    start: Timestamp
    end: Timestamp


@dataclass(frozen=True, slots=True)
class Replayed:
    """How far a replay is. `matched` counts pairs of an event and an agent that answers to it."""

    read: int
    matched: int
    time: Timestamp

    def share(self, wanted: Range) -> float:
        """How much of the range is read, from 0 to 1."""
        whole = wanted.end.time - wanted.start.time
        return min(1.0, max(0.0, (self.time.time - wanted.start.time) / whole)) if whole > 0 else 1.0


def replay(
    client: MongoClient[Document],
    agents: Sequence[ActiveAgent],
    wanted: Range,
    *,
    id_: str,
    ingest: Ingest,
    unhealthy: Unhealthy,
    monotonic: Callable[[], float] = time.monotonic,
) -> Generator[Replayed]:
    """Read a range again and put it on record; yields after each reply of the server how far it is.

    1. A row's id comes from its event's token; salted with the replay's `id_` it is another row, once per replay.
    2. Changes from before an agent was enabled count too: somebody has asked for them.
    3. Rows go behind those of live changes. Where the input is unchanged they cost no call of a model.

    Raises pymongo's and Django's errors; what is on record until then stays.
    """
    asked = [_asked(agent, wanted.start) for agent in agents]
    matcher = Matcher(client, asked, unhealthy, monotonic=monotonic)
    done = Replayed(0, 0, wanted.start)
    for batch_time, events in _batches(client, asked, wanted):
        salted = [replace(event, token=f"{event.token}:replay:{id_}") for event in events]
        matched = ingest.ingest(matcher, salted)
        done = Replayed(done.read + len(events), done.matched + matched, batch_time)
        yield done


def _batches(
    client: MongoClient[Document], agents: Sequence[ActiveAgent], wanted: Range
) -> Iterator[tuple[Timestamp, list[ChangeEvent]]]:
    pipeline = build_pipeline(agents)
    start, unread = StartPoint(time=wanted.start), True
    while unread:
        stream = ChangeStream(client, wanted.database, max_await_ms=MAX_AWAIT_MS)
        try:
            stream.open(pipeline, start)
            while unread and stream.alive:
                batch = stream.next_batch()
                yield batch.time, [event for event in batch.events if event.cluster_time <= wanted.end]
                # All changes of a transaction share a time, so a reply may end between two of them.
                unread = batch.time < wanted.end or (batch.time == wanted.end and bool(batch.events))
                # Behind an event that ended the stream it is opened anew.
                start = StartPoint(token=batch.token)
        finally:
            stream.close()


def _asked(agent: ActiveAgent, start: Timestamp) -> ActiveAgent:
    execution = agent.spec.execution
    lower = execution.model_copy(update={"priority": execution.priority - BELOW_LIVE})
    enabled_at = min(agent.enabled_at, datetime.fromtimestamp(start.time, UTC))
    return replace(agent, spec=agent.spec.model_copy(update={"execution": lower}), enabled_at=enabled_at)
