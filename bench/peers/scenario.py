"""`peers`: the ceiling, then MongoClaw 1.0.4 and this system in turns, each alone on the same servers."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Final

from pymongo import MongoClient
from redis import Redis

from bench.fleet import Document
from bench.peers.ceiling import ceiling
from bench.peers.contender import SLOTS, Contender, ours, peer
from bench.peers.installation import installed
from bench.peers.race import turn
from bench.peers.summary import CEILING, OURS, PEER, Run, ratios, summarised
from bench.peers.terminal import comparison
from bench.servers import Servers, running_servers

LATENCY_MS: Final = 200
ORDER: Final = (CEILING, PEER, OURS, PEER, OURS)
NOTES: Final = (
    "All on the same mongod, Valkey and model server; only one runs while it is measured, on emptied servers.",
    "MongoClaw 1.0.4 runs as one process, as a second one would make each call again.",
    "It has 64 workers, 300 Redis connections, no cache, and its agent from the start, without which it hangs.",
    "It calls the model through litellm; its external provider, a new HTTP client for each call, was slower.",
    "This system calls it through its own OpenAI client; the scenario throughput-litellm is with litellm.",
    "Both have the same agent but for the provider, the schema in the prompt, and documents with an ObjectId.",
    "The ceiling is Celery with as many threads in as many processes, and tasks that only sleep.",
)

_KEPT: Final = frozenset({"admin", "config", "local"})
_Start = Callable[[Path, Servers, str], AbstractContextManager[Contender]]


def peers(directory: Path, *, documents: int, singles: int) -> dict[str, Any]:
    """Measure all three; prints the comparison."""
    installation = installed()
    starts: dict[str, _Start] = {
        OURS: ours,
        PEER: lambda place, servers, database: peer(place, servers, database, installation),
    }
    runs = []
    with running_servers(directory, latency=str(LATENCY_MS)) as servers:
        for number, system in enumerate(ORDER):
            place = directory / f"turn-{number}"
            place.mkdir()
            _emptied(servers)
            run = (
                ceiling(place, servers, documents=documents, slots=SLOTS, latency=LATENCY_MS / 1000)
                if system == CEILING
                else _turn(starts[system], place, servers, system, documents=documents, singles=singles)
            )
            print(f"turn {number + 1} of {len(ORDER)}: {json.dumps(run)}", flush=True)
            runs.append(run)
    result = _result(runs, documents) | {"peer_versions": installation.versions()}
    print(comparison(result), flush=True)
    return result


def _result(runs: Sequence[Run], documents: int) -> dict[str, Any]:
    summary = summarised(runs)
    ideal = SLOTS * 1000 / LATENCY_MS
    return {
        "documents": documents,
        "slots": SLOTS,
        "model_latency_ms": LATENCY_MS,
        "ideal_documents_per_second": ideal,
        "cores": os.cpu_count(),
        "notes": list(NOTES),
        "ratios": ratios(summary, ideal=ideal),
        "summary": summary,
        "turns": list(runs),
    }


def _turn(
    start: _Start, place: Path, servers: Servers, system: str, *, documents: int, singles: int
) -> dict[str, Any]:
    load = os.getloadavg()[0]
    with start(place, servers, f"bench_{place.name}".replace("-", "_")) as contender:
        found = turn(contender, documents=documents, singles=singles, latency=str(LATENCY_MS))
    return {"system": system, "load_before": round(load, 1), **found}


def _emptied(servers: Servers) -> None:
    with MongoClient[Document](servers.mongo_url) as mongo, Redis.from_url(servers.broker_url) as broker:
        for name in set(mongo.list_database_names()) - _KEPT:
            mongo.drop_database(name)
        broker.flushall()
