"""The processes that are measured, on servers of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pymongo import MongoClient

from bench import agents
from bench.processes import Usage, usage_of
from bench.servers import Servers, running_servers
from sandbox.child_output import FileSink
from sandbox.children import Command
from sandbox.embedded.ports import reserved_port
from sandbox.model.client import ModelControl
from sandbox.supervisor import ChildSpec, Supervisor
from sandbox.waiting import answers, wait_until

ROOT = Path(__file__).resolve().parents[1]
Document = dict[str, Any]


@dataclass(frozen=True)
class Fleet:
    """A running system and what to reach it by."""

    supervisor: Supervisor
    environ: dict[str, str]
    mongo: MongoClient[Document]
    model: ModelControl
    pids: dict[str, int]
    web: str

    def create_agent(self, spec: Document) -> None:
        """Create an agent as soon as the web server answers. Raises AgentRefused and TimeoutError."""
        self.wait(lambda: answers(f"{self.web}/health/live"), seconds=60)
        agents.create(self.web, spec)

    def usage(self) -> dict[str, Usage]:
        """CPU and memory of every process so far."""
        return {name: usage_of(pid) for name, pid in self.pids.items()}

    def wait(self, condition: Any, *, seconds: float) -> None:
        """Wait for a condition; raises TimeoutError."""

        def probe() -> bool:
            self.supervisor.check()
            return bool(condition())

        if not wait_until(probe, seconds=seconds, poll=0.01):
            raise TimeoutError(f"not within {seconds} s")


@contextmanager
def running_fleet(
    directory: Path, *, workers: int, threads: int, latency: str, through_litellm: bool = False
) -> Iterator[Fleet]:
    """Start servers, model, watcher, workers and web server; stop everything at the end.

    With `through_litellm` the workers take the sandbox model for OpenAI and reach it as they reach any provider.
    """
    with (
        running_servers(directory, latency=latency) as servers,
        running_system(
            directory, servers, workers=workers, threads=threads, through_litellm=through_litellm
        ) as fleet,
    ):
        yield fleet


@contextmanager
def running_system(
    directory: Path, servers: Servers, *, workers: int, threads: int, through_litellm: bool = False
) -> Iterator[Fleet]:
    """Start watcher, workers and web server on servers that run already; stop them at the end, and not the servers."""
    with Supervisor(FileSink(directory / "logs")) as supervisor:
        environ = environment(
            directory, servers.mongo_url, servers.broker_url, f"sqlite:///{directory}/ledger.sqlite3"
        )
        environ |= (
            {**servers.openai, "MONGOCLAW_AI__DIRECT_CLIENT": "false"}
            if through_litellm
            else {"MONGOCLAW_AI__SANDBOX_URL": servers.model.url}
        )
        run(environ, "manage.py", "migrate", "--verbosity", "0")
        pids = dict(servers.pids)
        with reserved_port(directory / "web.port") as port:
            processes = _processes(workers, threads, port)
        for name, words in processes:
            command = Command((sys.executable, "-m", *words), env=environ, directory=ROOT)
            pids[name] = supervisor.start(ChildSpec(name, command)).process.pid
        with MongoClient[Document](servers.mongo_url) as mongo:
            yield Fleet(supervisor, environ, mongo, servers.model, pids, f"http://127.0.0.1:{port}")


def _processes(workers: int, threads: int, port: int) -> list[tuple[str, tuple[str, ...]]]:
    flags = ("--pool", "threads", "--concurrency", str(threads), "-Q", "mongoclaw", "--loglevel", "WARNING")
    quiet = ("--without-gossip", "--without-mingle")
    worker = ("celery", "-A", "mongoclaw_project", "worker", *flags, *quiet)
    web = ("mongoclaw_project", "server", "api", "--host", "127.0.0.1", "--port", str(port), "--workers", "1")
    return [("watcher", ("watcher",)), *((f"worker-{n}", worker) for n in range(workers)), ("web", web)]


def environment(directory: Path, mongo: str, broker: str, database: str) -> dict[str, str]:
    """Settings for everything that is started; those of the caller's own MongoClaw are left out."""
    return {
        **{key: value for key, value in os.environ.items() if not key.startswith("MONGOCLAW_")},
        "MONGOCLAW_ENV_FILE": os.devnull,
        "MONGOCLAW_ENVIRONMENT": "development",
        "MONGOCLAW_OBSERVABILITY__LOG_LEVEL": "WARNING",
        "MONGOCLAW_STATE_DIR": str(directory / "state"),
        "MONGOCLAW_MONGODB__URI": mongo,
        "MONGOCLAW_REDIS__URL": broker,
        "MONGOCLAW_DATABASE__URL": database,
        **agents.SETTINGS,
    }


def run(environ: dict[str, str], *words: str) -> str:
    """Run one of the project's commands to its end; returns what it printed. Raises CalledProcessError."""
    command = [sys.executable, *words]
    done = subprocess.run(
        command, env=environ, cwd=ROOT, check=True, capture_output=True, text=True, timeout=120
    )
    return done.stdout
