"""Whether the watcher's memory grows with the events that pass through it, large documents among them."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from bson import ObjectId

from bench.fleet import Document
from bench.processes import usage_of
from bench.scenarios import ticket
from bench.watcher.stage import prepare, stage

BLOCK: Final = 10_000
"""Events that are written at once: few enough for the oplog of the bench's server."""

LARGE_EVERY: Final = 100
LARGE: Final = {"attachment": "x" * 1_100_000}


def flat(directory: Path, *, events: int) -> Document:
    """Write blocks of new documents, 1 % of them of a megabyte, and look at the memory after each.

    The first tenth is warming up: the largest batch of large documents has been seen by then.
    """
    with stage(directory) as scene:
        pid = prepare(scene)
        tickets = scene.mongo.bench.tickets
        sizes = []
        for written in range(0, events, BLOCK):
            for start in range(written, written + BLOCK, 1000):
                tickets.insert_many([_document(n) for n in range(start, start + 1000)], ordered=False)
            scene.wait(lambda goal=written + BLOCK: scene.ledger.rows() > goal, seconds=120, poll=0.1)  # type: ignore[misc]
            tickets.drop()
            scene.broker.flushdb()
            sizes.append(usage_of(pid).rss_mb)
        warm = sizes[len(sizes) // 10 :]
        return {
            "events": events,
            "large_documents": events // LARGE_EVERY,
            "rss_mb": {"first": sizes[0], "after_a_tenth": warm[0], "last": warm[-1]},
            "growth_after_a_tenth_mb": round(warm[-1] - warm[0], 1),
            "spread_after_a_tenth_mb": round(max(warm) - min(warm), 1),
        }


def _document(number: int) -> Document:
    document = {**ticket(number), "_id": ObjectId()}
    return document | LARGE if number % LARGE_EVERY == 0 else document
