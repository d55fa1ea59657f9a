"""What is measured, and how."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pymongo.collection import Collection

from bench.fleet import Document, Fleet, running_fleet
from sandbox.model.client import ModelControl

WARM_UP = 64
LONGEST_SINGLE = 60.0
ENRICHED: Document = {"ai.category": {"$exists": True}}


def agent(**ai: Any) -> Document:
    """The agent of all scenarios: a short ticket, a small schema."""
    return {
        "id": "bench",
        "name": "Bench",
        "watch": {"database": "bench", "collection": "tickets"},
        "ai": {
            "provider": "sandbox",
            "model": "sandbox-1",
            "prompt": "Sort this support ticket: {{ document.subject }}\n{{ document.body }}",
            "response_schema": {
                "type": "object",
                "properties": {
                    "category": {"type": "string", "enum": ["billing", "bug", "praise", "other"]},
                    "urgent": {"type": "boolean"},
                    "summary": {"type": "string", "maxLength": 200},
                },
                "required": ["category", "urgent", "summary"],
                "additionalProperties": False,
            },
            **ai,
        },
        "write": {"target_field": "ai"},
    }


def ticket(number: int) -> Document:
    """A document of about a kilobyte."""
    return {"_id": number, "subject": f"Ticket {number}", "body": f"My invoice {number} is wrong. " * 30}


def throughput(
    directory: Path, *, documents: int, workers: int, threads: int, through_litellm: bool = False
) -> Document:
    """Insert all documents at once and take the time until the last one is enriched."""
    ai = {"provider": "openai", "model": "gpt-4o-mini"} if through_litellm else {}
    options: dict[str, Any] = {
        "workers": workers,
        "threads": threads,
        "latency": "200",
        "through_litellm": through_litellm,
    }
    with running_fleet(directory, **options) as fleet:
        _prepare(fleet, **ai)
        tickets = fleet.mongo.bench.tickets
        before = fleet.usage()
        calls = fleet.model.calls()["total"]
        started = time.perf_counter()
        tickets.insert_many([ticket(n) for n in range(documents)])
        inserted = time.perf_counter()
        fleet.wait(lambda: tickets.count_documents(ENRICHED) == documents, seconds=300)
        seconds = time.perf_counter() - started
        after = fleet.usage()
        return {
            "documents": documents,
            "slots": workers * threads,
            "workers": workers,
            "insert_seconds": round(inserted - started, 3),
            "seconds": round(seconds, 2),
            "documents_per_second": round(documents / seconds, 1),
            "model_calls": fleet.model.calls()["total"] - calls,
            "cpu_ms_per_document": {
                name: round((after[name].cpu_seconds - before[name].cpu_seconds) * 1000 / documents, 2)
                for name in after
            },
            "rss_mb": {name: used.rss_mb for name, used in after.items()},
        }


def latency(directory: Path, *, documents: int) -> Document:
    """Insert one document at a time; the model's own time is taken off each."""
    with running_fleet(directory, workers=1, threads=64, latency="200") as fleet:
        _prepare(fleet)
        tickets = fleet.mongo.bench.tickets
        overheads = [overhead_of(tickets, fleet.model, ticket(number)) for number in range(documents)]
        return {"documents": documents, "overhead_ms": percentiles(overheads)}


def overhead_of(
    tickets: Collection[Document], model: ModelControl, document: Document, *, seconds: float = LONGEST_SINGLE
) -> float:
    """Insert a document and wait for its answer; returns the milliseconds beyond the model's own.

    Raises TimeoutError if there is none after so many seconds.
    """
    started = time.perf_counter()
    tickets.insert_one(document)
    while tickets.find_one({"_id": document["_id"], **ENRICHED}, {"_id": 1}) is None:
        if time.perf_counter() - started > seconds:
            raise TimeoutError(f"one document took more than {seconds} s")
        time.sleep(0.001)
    elapsed = (time.perf_counter() - started) * 1000
    call = model.log()[-1]
    return float(elapsed - (call["ended"] - call["started"]) * 1000)


def percentiles(milliseconds: Sequence[float]) -> dict[str, float]:
    """Give the median, the 95th percentile and the longest."""
    ordered = sorted(milliseconds)
    return {
        "p50": round(statistics.median(ordered), 1),
        "p95": round(ordered[int(len(ordered) * 0.95)], 1),
        "max": round(ordered[-1], 1),
    }


def _prepare(fleet: Fleet, **ai: Any) -> None:
    """Publish the agent and let one document pass, so that start-up is not part of the figures."""
    fleet.create_agent(agent(**ai))
    tickets = fleet.mongo.bench.tickets
    tickets.insert_many([ticket(-n) for n in range(1, WARM_UP + 1)])
    fleet.wait(lambda: tickets.count_documents(ENRICHED) == WARM_UP, seconds=60)
    tickets.delete_many({})
