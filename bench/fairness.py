"""How long a quiet agent's few documents take while another agent has a long backlog."""

from __future__ import annotations

import statistics
import time
from pathlib import Path
from typing import Final

from bson import ObjectId

from bench.fleet import Document, Fleet, running_fleet
from bench.scenarios import ENRICHED, agent, ticket
from bench.watcher.ledger import open_ledger

ROUNDS: Final = 5
QUIET_DOCUMENTS: Final = 20
_BLOCK: Final = 1000


def fairness(directory: Path, *, backlog: int) -> Document:
    """Measure the quiet agent's documents alone, then behind so many of the other's that wait in the ledger."""
    with (
        running_fleet(directory, workers=2, threads=32, latency="200") as fleet,
        open_ledger(fleet.environ["MONGOCLAW_DATABASE__URL"]) as ledger,
    ):
        for name in ("quiet", "busy"):
            fleet.create_agent(_agent(name))
        _round(fleet)
        unloaded = [_round(fleet) for _ in range(ROUNDS)]
        for _ in range(0, backlog, _BLOCK):
            fleet.mongo.bench.busy.insert_many([new_ticket(n) for n in range(_BLOCK)], ordered=False)
        fleet.wait(lambda: ledger.rows("busy") >= backlog, seconds=300)
        loaded = [_round(fleet) for _ in range(ROUNDS)]
        return {
            "backlog": backlog,
            "backlog_left": backlog - fleet.mongo.bench.busy.count_documents(ENRICHED),
            "quiet_documents": QUIET_DOCUMENTS,
            "unloaded_seconds": _spread(unloaded),
            "loaded_seconds": _spread(loaded),
            "ratio": round(statistics.median(loaded) / statistics.median(unloaded), 2),
        }


def _agent(name: str) -> Document:
    return {**agent(), "id": name, "name": name, "watch": {"database": "bench", "collection": name}}


def new_ticket(number: int) -> Document:
    """The ticket of all scenarios under an `_id` of its own."""
    return {**ticket(number), "_id": ObjectId()}


def _round(fleet: Fleet) -> float:
    """Insert the quiet agent's documents at once; returns the seconds until the last is enriched."""
    quiet = fleet.mongo.bench.quiet
    quiet.delete_many({})
    started = time.perf_counter()
    quiet.insert_many([new_ticket(n) for n in range(QUIET_DOCUMENTS)])
    fleet.wait(lambda: quiet.count_documents(ENRICHED) == QUIET_DOCUMENTS, seconds=300)
    return time.perf_counter() - started


def _spread(seconds: list[float]) -> Document:
    ordered = sorted(seconds)
    return {
        "median": round(statistics.median(ordered), 2),
        "min": round(ordered[0], 2),
        "max": round(ordered[-1], 2),
    }
