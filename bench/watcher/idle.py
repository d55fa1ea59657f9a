"""What a thousand agents cost that have nothing to do, and how soon one more is at work."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Final

from bench.agents import create
from bench.fleet import ROOT, Document
from bench.processes import usage_of
from bench.scenarios import ENRICHED, agent, ticket
from bench.watcher.raw import streams
from bench.watcher.stage import Stage, stage
from sandbox.children import Command
from sandbox.model.client import start_model
from sandbox.supervisor import ChildSpec

DATABASES: Final = 3
COLLECTIONS: Final = 200


def idle(directory: Path, *, agents: int, seconds: float) -> Document:
    """Create the agents, let the watcher stand idle, then create one more and insert its first document."""
    with stage(directory) as scene:
        with scene.web_server() as address:
            for number in range(agents):
                create(address, _spec(number))
        _start_worker(scene)
        started = time.monotonic()
        pid = scene.start_watcher()
        scene.wait(lambda: len(streams(scene.mongo)) == DATABASES, seconds=120)
        ready = time.monotonic() - started
        time.sleep(5)
        before, begun = usage_of(pid), time.monotonic()
        time.sleep(seconds)
        after, elapsed = usage_of(pid), time.monotonic() - begun
        return {
            "agents": agents,
            "collections": COLLECTIONS,
            "databases": DATABASES,
            "cursors": len(streams(scene.mongo)),
            "start_seconds": round(ready, 2),
            "cpu_percent_of_a_core": round((after.cpu_seconds - before.cpu_seconds) / elapsed * 100, 2),
            "rss_mb": after.rss_mb,
            "first_result_of_a_new_agent_seconds": round(_first_result(scene), 2),
        }


def _first_result(scene: Stage) -> float:
    """Return the seconds from the answer of the web server to the enriched document."""
    place = _spec(0)["watch"]
    tickets = scene.mongo[place["database"]][place["collection"]]
    written = {"_id": 0, "newcomer.category": ENRICHED["ai.category"]}
    with scene.web_server() as address:
        create(address, {**_spec(0), "id": "newcomer"})
        started = time.monotonic()
        tickets.insert_one(ticket(0))
        scene.wait(lambda: tickets.find_one(written, {"_id": 1}) is not None, seconds=60, poll=0.01)
        return time.monotonic() - started


def _spec(number: int) -> Document:
    collection = number % COLLECTIONS
    place = {"database": f"bench{collection % DATABASES}", "collection": f"tickets{collection}"}
    name = f"agent-{number:04}"
    return {**agent(), "id": name, "watch": place, "write": {"target_field": "newcomer"}}


def _start_worker(scene: Stage) -> None:
    model = scene.supervisor.adopt(start_model(scene.directory / "model", latency="50"))
    scene.environ["MONGOCLAW_AI__SANDBOX_URL"] = model.url
    flags = ("--pool", "threads", "--concurrency", "16", "-Q", "mongoclaw", "--loglevel", "WARNING")
    quiet = ("--without-gossip", "--without-mingle")
    words = (sys.executable, "-m", "celery", "-A", "mongoclaw_project", "worker", *flags, *quiet)
    scene.supervisor.start(ChildSpec("worker", Command(words, env=scene.environ, directory=ROOT)))
