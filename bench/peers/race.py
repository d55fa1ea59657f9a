"""One contender's turn: the warm-up, all documents at once, then single ones."""

from __future__ import annotations

import time
from itertools import count
from typing import Any, Final

from bson import ObjectId

from bench.fleet import Document
from bench.peers.contender import SLOTS, Contender
from bench.scenarios import overhead_of, percentiles, ticket
from sandbox.waiting import wait_until

VALID: Final[Document] = {
    "ai.category": {"$in": ["billing", "bug", "praise", "other"]},
    "ai.urgent": {"$type": "bool"},
    "ai.summary": {"$type": "string"},
}
"""What the agent's schema asks for; an object under `ai` alone is no enrichment."""

START_SECONDS: Final = 120.0

SINGLE_SECONDS: Final = 30.0
MOST_UNANSWERED: Final = 5
"""After so many the rest are left out: the figures would take an hour."""

STALLED_SECONDS: Final = 60.0
"""A system that has finished nothing for so long has lost the rest."""

QUIET_SECONDS: Final = 3.0
"""After the last document: calls that are made twice come in by then."""


def turn(contender: Contender, *, documents: int, singles: int, latency: str) -> dict[str, Any]:
    """Measure one contender, the only one that runs. `latency` is the model's, in milliseconds."""
    _warm_up(contender, latency)
    result = _all_at_once(contender, documents)
    _start_anew(contender, latency)
    return result | _singles(contender, singles)


def _singles(contender: Contender, documents: int) -> dict[str, Any]:
    """Insert one document at a time. Those that get no answer in time are counted and are no part of the figures."""
    overheads: list[float] = []
    unanswered = 0
    for number in range(documents):
        try:
            overheads.append(
                overhead_of(
                    contender.tickets, contender.servers.model, _ticket(number), seconds=SINGLE_SECONDS
                )
            )
        except TimeoutError:
            unanswered += 1
            if unanswered == MOST_UNANSWERED:
                break
    found = {"singles_unanswered": unanswered}
    return found | ({"overhead_ms": percentiles(overheads)} if overheads else {})


def _ticket(number: int) -> Document:
    """The ticket of all scenarios under an ObjectId: 1.0.4 does not find documents with a number for an `_id`."""
    return {**ticket(number), "_id": ObjectId()}


def _warm_up(contender: Contender, latency: str) -> None:
    _awake(contender)
    contender.tickets.delete_many({})
    contender.tickets.insert_many([_ticket(-n) for n in range(1, SLOTS + 1)])
    if _finished(contender, SLOTS) < SLOTS:
        raise TimeoutError("the contender does not enrich")
    _start_anew(contender, latency)


def _awake(contender: Contender) -> None:
    """Insert a document a second until one is enriched: what comes before its watcher, 1.0.4 does not see."""
    probes = count(-SLOTS - 1, -1)

    def probed() -> bool:
        contender.supervisor.check()
        contender.tickets.insert_one(_ticket(next(probes)))
        return wait_until(lambda: contender.tickets.find_one(VALID) is not None, seconds=1.0)

    if not wait_until(probed, seconds=START_SECONDS, poll=0.0):
        raise TimeoutError(f"the contender has not enriched anything {START_SECONDS:.0f} s after its start")
    _finished(contender, contender.tickets.count_documents({}), patience=5.0)


def _start_anew(contender: Contender, latency: str) -> None:
    contender.tickets.delete_many({})
    contender.servers.model.reset()
    contender.servers.model.set_latency(latency)


def _all_at_once(contender: Contender, documents: int) -> dict[str, Any]:
    before = contender.usage()
    started = time.perf_counter()
    contender.tickets.insert_many([_ticket(n) for n in range(documents)])
    enriched = _finished(contender, documents)
    seconds = time.perf_counter() - started - (STALLED_SECONDS if enriched < documents else 0.0)
    after = contender.usage()
    time.sleep(QUIET_SECONDS)
    calls = contender.servers.model.calls()
    return {
        "seconds": round(seconds, 2),
        "documents_per_second": round(enriched / seconds, 1),
        "enriched": enriched,
        "lost": documents - enriched,
        "model_calls": calls["total"],
        "doubled": calls["total"] - calls["prompts"],
        "most_calls_at_a_time": calls["max_in_flight"],
        "cpu_ms_per_document": {
            name: round((after[name].cpu_seconds - before[name].cpu_seconds) * 1000 / max(enriched, 1), 2)
            for name in after
        },
        "rss_mb": {name: after[name].rss_mb for name in contender.pids},
    }


def _finished(contender: Contender, documents: int, *, patience: float = STALLED_SECONDS) -> int:
    """Wait until all documents are enriched, or no more have been for a while; returns how many are."""
    found, since = 0, time.monotonic()

    def over() -> bool:
        nonlocal found, since
        contender.supervisor.check()
        now = contender.tickets.count_documents(VALID)
        if now > found:
            found, since = now, time.monotonic()
        return found == documents or time.monotonic() - since > patience

    wait_until(over, seconds=1200, poll=0.01)
    return found
