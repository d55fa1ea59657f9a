"""`python -m bench`: run the scenarios, print the figures, keep them under `bench/results/`."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import scenarios
from bench.api.reading import api
from bench.fairness import fairness
from bench.ledger.million import ledger_million
from bench.peers.chart import chart
from bench.peers.scenario import peers
from bench.watcher import backfill, draining, idle, latency, memory

RESULTS = Path(__file__).parent / "results"
Scenario = Callable[[Path], dict[str, Any]]

SYSTEM: dict[str, Scenario] = {
    "throughput": lambda directory: scenarios.throughput(directory, documents=2000, workers=2, threads=32),
    "throughput-one-process": lambda directory: scenarios.throughput(
        directory, documents=2000, workers=1, threads=64
    ),
    "throughput-litellm": lambda directory: scenarios.throughput(
        directory, documents=2000, workers=2, threads=32, through_litellm=True
    ),
    "latency": lambda directory: scenarios.latency(directory, documents=200),
}
WATCHER: dict[str, Scenario] = {
    "watcher-published": lambda directory: draining.published(directory, documents=50_000),
    "watcher-deferred": lambda directory: draining.deferred(directory, documents=100_000),
    "watcher-published-postgres": lambda directory: draining.published(
        directory, documents=50_000, database="postgres"
    ),
    "watcher-deferred-postgres": lambda directory: draining.deferred(
        directory, documents=100_000, database="postgres"
    ),
    "watcher-latency": lambda directory: latency.commit_to_broker(directory, rate=500, seconds=20),
    "watcher-idle": lambda directory: idle.idle(directory, agents=1000, seconds=20),
    "watcher-memory": lambda directory: memory.flat(directory, events=100_000),
    "backfill": lambda directory: backfill.beside_live(directory, documents=200_000),
    "backfill-postgres": lambda directory: backfill.beside_live(
        directory, documents=200_000, database="postgres"
    ),
}
PEERS: dict[str, Scenario] = {"peers": lambda directory: peers(directory, documents=2000, singles=100)}
LIMITS: dict[str, Scenario] = {
    "fairness": lambda directory: fairness(directory, backlog=100_000),
    "ledger-million": lambda directory: ledger_million(directory, rows=1_000_000),
}
API: dict[str, Scenario] = {"api": lambda directory: api(directory, rows=1_000_000)}
API_SMALL: dict[str, Scenario] = {"api-small": lambda directory: api(directory, rows=20_000)}
LIMITS_SMALL: dict[str, Scenario] = {
    "fairness-small": lambda directory: fairness(directory, backlog=5_000),
    "ledger-small": lambda directory: ledger_million(directory, rows=20_000),
}
LONG: dict[str, Scenario] = {
    "watcher-memory-million": lambda directory: memory.flat(directory, events=1_000_000)
}
SCENARIOS = {**SYSTEM, **WATCHER, **PEERS, **LIMITS, **LIMITS_SMALL, **API, **API_SMALL, **LONG}
GROUPS = {
    "system": SYSTEM,
    "watcher": WATCHER,
    "peers": PEERS,
    "limits": LIMITS,
    "limits-small": LIMITS_SMALL,
    "api": API,
    "long": LONG,
}
DEFAULT = ("system", "watcher", "peers")


def main() -> int:
    """Run what was asked for, or everything."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "scenario",
        nargs="*",
        choices=[*SCENARIOS, *GROUPS, []],
        help="a scenario or a group of them; default: system, watcher and peers",
    )
    parser.add_argument("--no-save", action="store_true", help="print only")
    arguments = parser.parse_args()
    results = {}
    for name in _expanded(arguments.scenario or DEFAULT):
        with tempfile.TemporaryDirectory(prefix="mongoclaw-bench-") as directory:
            results[name] = SCENARIOS[name](Path(directory))
        print(json.dumps({name: results[name]}, indent=2), flush=True)
    if not arguments.no_save:
        _save(results)
    return 0


def _expanded(names: Iterable[str]) -> list[str]:
    return [scenario for name in names for scenario in GROUPS.get(name, [name])]


def _save(results: dict[str, Any]) -> None:
    """Write the day's record; what else was measured on the day stays in it."""
    now = datetime.now(UTC)
    path = RESULTS / f"{now:%Y-%m-%d}.json"
    earlier = json.loads(path.read_text())["results"] if path.exists() else {}
    record = {
        "at": now.isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "results": earlier | results,
    }
    RESULTS.mkdir(exist_ok=True)
    path.write_text(json.dumps(record, indent=2) + "\n")
    if "peers" in results:
        (RESULTS / f"{now:%Y-%m-%d}-peers.svg").write_text(chart(results["peers"]))
    print(f"kept in {path.relative_to(Path.cwd())}" if path.is_relative_to(Path.cwd()) else f"kept in {path}")


if __name__ == "__main__":
    sys.exit(main())
