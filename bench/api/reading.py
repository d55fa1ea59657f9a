"""`api`: agents and a million executions, read with an API key from the web server as a deployment starts it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from bench.agents import create
from bench.api.asking import asked
from bench.api.polling import polled
from bench.browser import ADMINISTRATOR, create_administrator
from bench.fairness import new_ticket
from bench.fleet import ROOT, Document, run, running_system
from bench.ledger.filling import fill
from bench.processes import usage_of
from bench.scenarios import ENRICHED, agent, percentiles
from bench.servers import Servers, running_servers
from sandbox.child_output import FileSink
from sandbox.embedded.ports import reserved_port
from sandbox.processes import Listening, web
from sandbox.supervisor import Supervisor
from sandbox.waiting import answers

AGENTS: Final = 36
AT_WORK: Final = 4
WEB_PROCESSES: Final = 2
AT_ONCE: Final = 8
REQUESTS: Final = 4000
EACH: Final = 200

LISTS: Final = {
    "first_page": "?limit=50",
    "of_agent": "?agent_id=agent-1&limit=50",
    "completed": "?status=completed&limit=50",
    "failed": "?status=failed&limit=50",
    "pending": "?status=pending&limit=50",
    "failed_of_agent": "?agent_id=agent-1&status=failed&limit=50",
    "deepest": "?skip=9950&limit=50",
    "deepest_of_agent": "?agent_id=agent-1&skip=9950&limit=50",
}


def api(directory: Path, *, rows: int) -> Document:
    """Fill a ledger; ask for its lists one by one, for the agents many at a time, and as the console does."""
    with running_servers(directory, latency="10") as servers:
        environ, key = _filled(directory, servers, rows)
        who = f"X-API-Key: {key}"
        with _web(directory, environ) as (address, pid):
            load = os.getloadavg()[0]
            before = usage_of(pid).cpu_seconds
            agents = asked(address, who, "/api/v1/agents", times=REQUESTS, at_once=AT_ONCE)
            cpu = usage_of(pid).cpu_seconds - before
            lists = {
                name: percentiles(asked(address, who, f"/api/v1/executions{query}", times=EACH).milliseconds)
                for name, query in LISTS.items()
            }
            panels = polled(address)
    return {
        "rows": rows,
        "agents": AGENTS,
        "web_processes": WEB_PROCESSES,
        "load": [round(load, 1), round(os.getloadavg()[0], 1)],
        "agents_list": {
            "requests_per_second": round(REQUESTS / agents.seconds, 1),
            "cpu_ms_per_request": round(cpu * 1000 / REQUESTS, 2),
            "ms": percentiles(agents.milliseconds),
        },
        "executions_ms": lists,
        "console_ms": panels,
    }


def _filled(directory: Path, servers: Servers, rows: int) -> tuple[dict[str, str], str]:
    """Let a few agents work once and copy what they did; returns the environment of these processes, and a key."""
    with running_system(directory, servers, workers=1, threads=8) as fleet:
        key = _key(fleet.environ)
        fleet.wait(lambda: answers(f"{fleet.web}/health/live"), seconds=60)
        for number in range(AGENTS):
            name = f"agent-{number}"
            create(
                fleet.web,
                {**agent(), "id": name, "name": name, "watch": {"database": "bench", "collection": name}},
            )
        collections = [fleet.mongo.bench[f"agent-{number}"] for number in range(AT_WORK)]
        for collection in collections:
            collection.insert_one(new_ticket(0))
        fleet.wait(lambda: all(one.count_documents(ENRICHED) == 1 for one in collections), seconds=60)
    fill(str(directory / "ledger.sqlite3"), rows=rows)
    return fleet.environ, key


def _key(environ: dict[str, str]) -> str:
    """Make a key as a user does. Raises LookupError if none is shown."""
    create_administrator(environ)
    wanted = ("--user", ADMINISTRATOR, "--name", "bench", "--scope", "read", "--scope", "write")
    made = run(environ, "-m", "mongoclaw_project", "keys", "create", *wanted)
    found = re.search(r"mck_[0-9a-f]{8}_[\w-]{43}", made)
    if found is None:
        raise LookupError("no key is shown")
    return found[0]


@contextmanager
def _web(directory: Path, environ: dict[str, str]) -> Iterator[tuple[str, int]]:
    """Start the web server, whose address and process it gives."""
    with reserved_port(directory / "api.port") as port:
        listening = Listening("127.0.0.1", port, WEB_PROCESSES)
    with Supervisor(FileSink(directory / "logs")) as supervisor:
        child = supervisor.start(web(environ, ROOT, listening))
        yield listening.url, child.process.pid
