"""Events per second: a watcher comes back to events that were written while it was away."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from bson import ObjectId, Timestamp

from bench.fleet import Document
from bench.processes import usage_of
from bench.scenarios import ticket
from bench.watcher.raw import drain, now_of, streams
from bench.watcher.stage import EVERYTHING, Stage, prepare, stage

NO_ROOM: Final = 1
"""A window that the warm-up's row fills, so that all others wait in the ledger."""


def published(directory: Path, *, documents: int, database: str = "sqlite") -> Document:
    """Every event becomes a row and a message."""
    with stage(directory, database=database, window=EVERYTHING) as scene:
        return _drained(scene, documents, lambda: scene.published() > documents, poll=0.01)


def deferred(directory: Path, *, documents: int, database: str = "sqlite") -> Document:
    """Every event becomes a row that waits: the window is full."""
    with stage(directory, database=database, window=NO_ROOM) as scene:
        return _drained(scene, documents, lambda: scene.ledger.rows() > documents, poll=0.3)


def _drained(scene: Stage, documents: int, done: Callable[[], bool], *, poll: float) -> Document:
    prepare(scene)
    [command] = streams(scene.mongo)
    scene.stop_watcher()
    since = write(scene, documents)
    pid = scene.start_watcher()
    scene.wait(lambda: scene.ledger.rows() > 1, seconds=60)
    before = usage_of(pid)
    scene.wait(done, seconds=300, poll=poll)
    ended = time.time()
    after = usage_of(pid)
    chunks = scene.ledger.chunks()[1:]
    (begun, _), (last_begun, last) = chunks[0], chunks[-1]
    in_ledger = (documents - last) / (last_begun - begun)
    scene.stop_watcher()
    raw = drain(scene.mongo, command, since, documents)
    return {
        "documents": documents,
        "events_per_second_to_ledger": round(in_ledger),
        "events_per_second": round(documents / (ended - begun)),
        "raw_cursor_events_per_second": round(raw),
        "watcher_cpu_ms_per_1000_events": round(
            (after.cpu_seconds - before.cpu_seconds) * 1e6 / documents, 1
        ),
        "rss_mb": after.rss_mb,
    }


def write(scene: Stage, documents: int) -> Timestamp:
    """Insert documents of a kilobyte; returns the cluster time before the first."""
    tickets = scene.mongo.bench.tickets
    since = now_of(scene.mongo)
    for start in range(0, documents, 10_000):
        numbers = range(start, min(start + 10_000, documents))
        tickets.insert_many([{**ticket(n), "_id": ObjectId()} for n in numbers], ordered=False)
    return since
