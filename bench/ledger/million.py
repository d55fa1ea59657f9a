"""`ledger-million`: the same figures with a thousand executions in the ledger and with a million."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Final

from bench.browser import LIST, Browser, create_administrator, signed_in
from bench.fairness import new_ticket
from bench.fleet import Document, Fleet, run, running_fleet
from bench.ledger.filling import fill
from bench.scenarios import ENRICHED, agent, overhead_of, percentiles

AGENTS: Final = 4
FEW: Final = 1000
DOCUMENTS: Final = 1000
SINGLES: Final = 50
IDLE_SECONDS: Final = 10.0
_NUMBERS: Final = count()

PAGES: Final = {
    "list": LIST,
    "failed": f"{LIST}?status=failed",
    "agent": f"{LIST}?agent=agent-1",
    "last_page": f"{LIST}?p=100",
    "search_document": f"{LIST}?q=6553f10a000000000000000a",
}
COMMANDS: Final = {
    "list": ("executions", "list"),
    "failed": ("executions", "list", "--status", "failed"),
    "agent": ("executions", "list", "--agent", "agent-1"),
}


def ledger_million(directory: Path, *, rows: int) -> Document:
    """Measure with a few rows, add the rest, and measure again."""
    path = str(directory / "ledger.sqlite3")
    with running_fleet(directory, workers=2, threads=32, latency="200") as fleet:
        for number in range(AGENTS):
            fleet.create_agent(_agent(number))
        _warm_up(fleet)
        create_administrator(fleet.environ)
        browser = signed_in(fleet.web)
        fill(path, rows=FEW)
        few = _measured(fleet, browser)
        started = time.perf_counter()
        fill(path, rows=rows, start=FEW)
        filled = time.perf_counter() - started
        many = _measured(fleet, browser)
        size = Path(path).stat().st_size / 2**20
    return {
        "fill_seconds": round(filled, 1),
        "ledger_mb": round(size),
        "few": {"rows": FEW, **few},
        "many": {"rows": rows, **many},
    }


def _agent(number: int) -> Document:
    name = f"agent-{number}"
    return {**agent(), "id": name, "name": name, "watch": {"database": "bench", "collection": name}}


def _warm_up(fleet: Fleet) -> None:
    """Let one document of each agent pass: their rows are what the ledger is filled with."""
    collections = [fleet.mongo.bench[f"agent-{number}"] for number in range(AGENTS)]
    for collection in collections:
        collection.insert_one(new_ticket(0))
    fleet.wait(lambda: all(one.count_documents(ENRICHED) == 1 for one in collections), seconds=60)


def _measured(fleet: Fleet, browser: Browser) -> Document:
    return {
        "admin_ms": {name: browser.milliseconds(path) for name, path in PAGES.items()},
        "command_seconds": {name: _command(fleet, words) for name, words in COMMANDS.items()},
        "watcher_idle_cpu_percent": _idle(fleet),
        **_work(fleet),
    }


def _command(fleet: Fleet, words: Sequence[str]) -> float:
    spent = []
    for _ in range(3):
        started = time.perf_counter()
        run(fleet.environ, "-m", "mongoclaw_project", *words)
        spent.append(time.perf_counter() - started)
    return round(statistics.median(spent), 2)


def _idle(fleet: Fleet) -> float:
    """Give the watcher's share of a core while nothing happens: what its rounds over the ledger cost."""
    before = fleet.usage()["watcher"].cpu_seconds
    time.sleep(IDLE_SECONDS)
    spent = fleet.usage()["watcher"].cpu_seconds - before
    return round(spent / IDLE_SECONDS * 100, 1)


def _work(fleet: Fleet) -> Document:
    """Let documents pass, one at a time and many at once: recorded, dispatched, claimed and settled in this ledger."""
    tickets = fleet.mongo.bench["agent-0"]
    overheads = [overhead_of(tickets, fleet.model, new_ticket(next(_NUMBERS))) for _ in range(SINGLES)]
    tickets.delete_many({})
    before = fleet.usage()
    started = time.perf_counter()
    tickets.insert_many([new_ticket(n) for n in range(DOCUMENTS)])
    fleet.wait(lambda: tickets.count_documents(ENRICHED) == DOCUMENTS, seconds=300)
    seconds = time.perf_counter() - started
    after = fleet.usage()
    tickets.delete_many({})
    cpu = {
        name: round((after[name].cpu_seconds - before[name].cpu_seconds) * 1000 / DOCUMENTS, 2)
        for name in after
    }
    return {
        "overhead_ms": percentiles(overheads),
        "documents_per_second": round(DOCUMENTS / seconds, 1),
        "cpu_ms_per_document": cpu,
    }
