"""A watcher between servers of its own, without workers: what it has done is still there to be counted."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pymongo import MongoClient
from redis import Redis

from bench.agents import create, web_server
from bench.fleet import ROOT, Document, environment, run
from bench.scenarios import agent
from bench.watcher.ledger import Ledger, open_ledger
from sandbox.child_output import FileSink
from sandbox.children import Command
from sandbox.embedded import start_mongod, start_postgres, start_valkey
from sandbox.errors import ChildDied
from sandbox.supervisor import Child, ChildSpec, Supervisor
from sandbox.waiting import wait_until

QUEUE: Final = "mongoclaw"
EVERYTHING: Final = 10_000_000
"""A window that no scenario fills."""


@dataclass
class Stage:
    """The servers, and the watcher while it runs."""

    supervisor: Supervisor
    sink: FileSink
    environ: dict[str, str]
    mongo: MongoClient[Document]
    broker: Redis
    ledger: Ledger
    directory: Path
    watcher: Child | None = None

    def start_watcher(self) -> int:
        """Start a watcher process; returns its process id."""
        command = Command((sys.executable, "-m", "watcher"), env=self.environ, directory=ROOT)
        self.watcher = Child(ChildSpec("watcher", command), self.sink)
        return self.watcher.process.pid

    def stop_watcher(self) -> None:
        """End the watcher as an operator does."""
        if self.watcher is not None:
            self.watcher.stop()
            self.watcher = None

    def web_server(self) -> AbstractContextManager[str]:
        """Run a web server for as long as agents are created; gives its address."""
        return web_server(self.environ, ROOT, self.directory, self.sink)

    def published(self) -> int:
        """Count the messages in the broker, which nobody takes."""
        return int(self.broker.llen(QUEUE))

    def wait(self, condition: Callable[[], bool], *, seconds: float, poll: float = 0.02) -> None:
        """Wait for a condition. Raises TimeoutError, and ChildDied if a process ended."""

        def probe() -> bool:
            self.supervisor.check()
            if self.watcher is not None and not self.watcher.is_alive():
                raise ChildDied(self.watcher.obituary())
            return condition()

        if not wait_until(probe, seconds=seconds, poll=poll):
            raise TimeoutError(f"not within {seconds} s")


@contextmanager
def stage(directory: Path, *, database: str = "sqlite", window: int = EVERYTHING) -> Iterator[Stage]:
    """Start MongoDB, the broker and the ledger's database (`sqlite` or `postgres`); stop everything at the end."""
    sink = FileSink(directory / "logs")
    with Supervisor(sink) as supervisor:
        mongod = supervisor.adopt(start_mongod(directory / "mongod"))
        valkey = supervisor.adopt(start_valkey(directory / "valkey"))
        url = _database(supervisor, directory, database)
        environ = environment(directory, mongod.url, valkey.url, url)
        environ["MONGOCLAW_WORKER__WINDOW_PER_AGENT"] = str(window)
        environ["MONGOCLAW_WORKER__WINDOW_PER_SLOT"] = str(EVERYTHING)
        run(environ, "manage.py", "migrate", "--verbosity", "0")
        with (
            MongoClient[Document](mongod.url) as mongo,
            Redis.from_url(valkey.url) as broker,
            open_ledger(url) as ledger,
        ):
            scene = Stage(supervisor, sink, environ, mongo, broker, ledger, directory)
            try:
                yield scene
            finally:
                scene.stop_watcher()


def _database(supervisor: Supervisor, directory: Path, kind: str) -> str:
    if kind == "sqlite":
        return f"sqlite:///{directory}/ledger.sqlite3"
    directory.chmod(0o755)  # PostgreSQL enters it as another user.
    return supervisor.adopt(start_postgres(directory / "postgres")).url


def prepare(stage: Stage, **watch: Any) -> int:
    """Create the agent, start the watcher and let one document pass; returns the watcher's process id."""
    spec = agent()
    spec["watch"] |= watch
    with stage.web_server() as address:
        create(address, spec)
    pid = stage.start_watcher()
    stage.mongo.bench.tickets.insert_one({"subject": "warm-up"})
    stage.wait(lambda: stage.ledger.rows() == 1, seconds=60)
    return pid
