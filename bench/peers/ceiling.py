"""The ceiling: how fast Celery itself runs as many tasks that only wait, with no document, model or ledger."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final

from redis import Redis

from bench.fleet import ROOT
from bench.processes import usage_of
from bench.servers import Servers
from sandbox.child_output import FileSink
from sandbox.children import Command
from sandbox.supervisor import ChildSpec, Supervisor
from sandbox.waiting import wait_until

_MODULE: Final = "bench.peers.ceiling_app"
_QUEUE: Final = "ceiling"
_UNACKED: Final = "unacked"
"""Where kombu keeps the messages that workers hold."""


def ceiling(
    directory: Path, servers: Servers, *, documents: int, slots: int, latency: float
) -> dict[str, Any]:
    """Publish all tasks and take the time until none is left. `latency` is in seconds."""
    environ = {**os.environ, "CEILING_BROKER": servers.broker_url}
    with Supervisor(FileSink(directory / "logs")) as supervisor, Redis.from_url(servers.broker_url) as broker:
        pids = [_worker(supervisor, environ, number, slots // 2) for number in range(2)]
        _publish(environ, slots, latency)
        _drained(broker)
        before = sum(usage_of(pid).cpu_seconds for pid in pids)
        started = _publish(environ, documents, latency)
        _drained(broker)
        seconds = time.perf_counter() - started
        used = [usage_of(pid) for pid in pids]
        return {
            "system": "celery",
            "seconds": round(seconds, 2),
            "documents_per_second": round(documents / seconds, 1),
            "cpu_ms_per_document": {
                "workers": round((sum(one.cpu_seconds for one in used) - before) * 1000 / documents, 2)
            },
            "rss_mb": {f"worker-{number}": one.rss_mb for number, one in enumerate(used)},
        }


def _worker(supervisor: Supervisor, environ: dict[str, str], number: int, threads: int) -> int:
    flags = ("--pool", "threads", "--concurrency", str(threads), "--loglevel", "WARNING")
    quiet = ("--without-gossip", "--without-mingle", "--without-heartbeat", "-n", f"ceiling-{number}@bench")
    words = (sys.executable, "-m", "celery", "-A", _MODULE, "worker", *flags, *quiet)
    command = Command(words, env=environ, directory=ROOT)
    return supervisor.start(ChildSpec(f"ceiling-{number}", command)).process.pid


def _publish(environ: dict[str, str], tasks: int, latency: float) -> float:
    """Publish as a client does; returns when it began, on the clock that all processes share."""
    words = [sys.executable, "-m", _MODULE, str(tasks), str(latency)]
    done = subprocess.run(
        words, env=environ, cwd=ROOT, check=True, capture_output=True, text=True, timeout=120
    )
    return float(done.stdout)


def _drained(broker: Redis) -> None:
    if not wait_until(lambda: _left(broker) == 0, seconds=120, poll=0.01):
        raise TimeoutError("plain Celery did not finish its tasks")


def _left(broker: Redis) -> int:
    # In this order: a message that moves from the one to the other in between is counted twice, never missed.
    return int(broker.llen(_QUEUE)) + int(broker.hlen(_UNACKED))
