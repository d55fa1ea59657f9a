"""Real processes against real servers: a watcher and workers of the test's own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest
from pymongo import MongoClient
from pymongo.database import Database

from sandbox.child_output import FileSink
from sandbox.children import Command
from sandbox.embedded import start_valkey
from sandbox.embedded.server import RunningServer
from sandbox.model.client import ModelControl
from sandbox.supervisor import Child, ChildSpec
from tests.conditions import eventually

ROOT = Path(__file__).resolve().parents[2]
Document = dict[str, Any]
TERMINAL = "('completed', 'skipped', 'failed')"

SCHEMA: Document = {
    "type": "object",
    "properties": {
        "category": {"type": "string", "enum": ["billing", "bug", "praise"]},
        "summary": {"type": "string", "maxLength": 200},
    },
    "required": ["category", "summary"],
    "additionalProperties": False,
}


@dataclass
class Fleet:
    """The processes of one test; every one is gone when the test ends."""

    directory: Path
    environ: dict[str, str]
    mongo: MongoClient[Document]
    db: Database[Document]
    model: ModelControl
    broker: RunningServer
    sink: FileSink
    children: dict[str, Child] = field(default_factory=dict)

    def start_watcher(self, name: str = "watcher") -> Child:
        """Start a watcher and wait until it works, or stands by."""
        before = self.log(name).count("keeper.started")
        child = self._start(name, "watcher")
        eventually(lambda: self.log(name).count("keeper.started") > before or not child.is_alive())
        return child

    def start_worker(self, name: str = "worker", *, threads: int = 64, queues: str = "mongoclaw") -> Child:
        """Start a worker, of all queues where none is named, and wait until its heartbeat is there."""
        flags = ("--pool", "threads", "--concurrency", str(threads), *(("-Q", queues) if queues else ()))
        quiet = ("--without-gossip", "--without-mingle", "--loglevel", "INFO")
        child = self._start(name, "celery", "-A", "mongoclaw_project", "worker", *flags, *quiet)
        query = f"SELECT count(*) FROM executions_app_workerprocess WHERE pid = {child.process.pid}"
        eventually(lambda: self.count(query), seconds=40)
        return child

    def start(self) -> None:
        """Start one watcher and one worker."""
        self.start_watcher()
        self.start_worker()

    def start_module(self, name: str, *words: str) -> Child:
        """Start `python -m …` in the fleet's environment."""
        return self._start(name, *words)

    def wait_until_dead(self, name: str, child: Child) -> None:
        """Wait for a process that is to kill itself; one that ends otherwise did not get so far."""
        eventually(lambda: not child.is_alive(), seconds=40)
        assert child.process.returncode == -signal.SIGKILL, child.obituary()
        self.children.pop(name).kill()

    def kill(self, name: str) -> None:
        """SIGKILL."""
        self.children.pop(name).kill()

    def stop(self, name: str) -> None:
        """SIGTERM, and wait."""
        self.children.pop(name).stop()

    def log(self, name: str) -> str:
        """What a process has printed so far."""
        path = self.directory / "logs" / f"{name}.log"
        return path.read_text() if path.exists() else ""

    def publish(self, **changes: Any) -> str:
        """Create or update an agent over the command line; returns its id."""
        spec = self.spec(**changes)
        path = self.directory / f"{spec['id']}.json"
        verb = "update" if path.exists() else "create"
        path.write_text(json.dumps(spec))
        self.cli("agents", verb, "-f", str(path))
        return str(spec["id"])

    def spec(self, **changes: Any) -> Document:
        """A support agent on the test's database; a mapping changes parts of its section."""
        spec: Document = {
            "id": "support",
            "name": "Support",
            "watch": {"database": self.db.name, "collection": "tickets"},
            "ai": {
                "provider": "sandbox",
                "model": "sandbox-1",
                "prompt": "Sort this ticket: {{ document.text }}",
                "response_schema": SCHEMA,
            },
            "write": {"target_field": "ai"},
            "execution": {"retry_delay_seconds": 0.2, "retry_max_delay_seconds": 2},
        }
        for key, value in changes.items():
            spec[key] = {**spec.get(key, {}), **value} if isinstance(value, dict) else value
        return spec

    def cli(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a `mongoclaw` command."""
        done = subprocess.run(
            [sys.executable, "-m", "mongoclaw_project", *words],
            env=self.environ,
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert not check or done.returncode == 0, done.stderr
        return done

    def insert(self, count: int, *, start: int = 0, text: str = "The invoice is wrong") -> list[object]:
        """Insert tickets; returns their ids."""
        tickets = [{"_id": n, "text": f"{text}, number {n}"} for n in range(start, start + count)]
        return list(self.db.tickets.insert_many(tickets).inserted_ids)

    def enriched(self) -> int:
        """Count tickets that carry an answer."""
        return self.db.tickets.count_documents({"ai.category": {"$exists": True}})

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Ask the ledger, as another process sees it."""
        return query_database(self.environ["MONGOCLAW_DATABASE__URL"], query)

    def count(self, query: str) -> int:
        """Ask the ledger for one number."""
        return int(self.rows(query)[0][0])

    def unfinished(self) -> int:
        """Count rows that are not at their end."""
        return self.count(f"SELECT count(*) FROM executions_app_execution WHERE status NOT IN {TERMINAL}")

    def wait_for(self, condition: Callable[[], Any], *, seconds: float = 60.0) -> Any:
        """Wait for a condition while all processes live."""

        def probe() -> Any:
            dead = [child.obituary() for child in self.children.values() if not child.is_alive()]
            assert not dead, "\n".join(dead)
            return condition()

        return eventually(probe, seconds=seconds, every=0.1)

    def wait_until_idle(self, *, seconds: float = 60.0) -> None:
        """Wait until every row is at its end."""
        self.wait_for(lambda: not self.unfinished(), seconds=seconds)

    def _start(self, name: str, *words: str) -> Child:
        command = Command((sys.executable, "-m", *words), env=self.environ, directory=ROOT)
        child = Child(ChildSpec(name, command, stop_seconds=20), self.sink)
        self.children[name] = child
        return child


def query_database(url: str, query: str) -> list[tuple[Any, ...]]:
    """Run one query on SQLite or PostgreSQL."""
    import sqlite3

    if url.startswith("sqlite:"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"), timeout=20)) as connection:
            return list(connection.execute(query))
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(query)  # type: ignore[call-overload,unused-ignore]
        return list(cursor) if cursor.description else []


ON_RABBITMQ_TOO = pytest.mark.parametrize("fleet", ["valkey", "rabbitmq"], indirect=True)


def environ_for(state_dir: Path, *, mongodb: str, broker: str, database: str, model: str) -> dict[str, str]:
    """The environment of a fleet's processes on these servers, with a home of its own in MongoDB."""
    return {
        **{key: value for key, value in os.environ.items() if not key.startswith("MONGOCLAW_")},
        "PYTHONUNBUFFERED": "1",
        "MONGOCLAW_ENV_FILE": os.devnull,
        "MONGOCLAW_ENVIRONMENT": "development",
        "MONGOCLAW_STATE_DIR": str(state_dir),
        "MONGOCLAW_MONGODB__URI": mongodb,
        "MONGOCLAW_MONGODB__DATABASE": f"home_{uuid.uuid4().hex[:12]}",
        "MONGOCLAW_REDIS__URL": broker,
        "MONGOCLAW_DATABASE__URL": database,
        "MONGOCLAW_AI__SANDBOX_URL": model,
        # Shorter than by default, so that tests which kill need not wait long for the heirs.
        "MONGOCLAW_WATCHER__LEASE_SECONDS": "2",
        "MONGOCLAW_WATCHER__METRICS_PORT": "0",
        "MONGOCLAW_API__RATE_LIMIT_REQUESTS": "100000",  # tests ask until something is so
        "MONGOCLAW_OBSERVABILITY__METRICS_PORT": "0",
        "MONGOCLAW_WORKER__HEARTBEAT_SECONDS": "0.5",
        "MONGOCLAW_WORKER__HEARTBEAT_TIMEOUT_SECONDS": "4",
    }


@pytest.fixture
def fleet(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    mongo: MongoClient[Document],
    mongo_db: Database[Document],
    mongo_uri: str,
    migrated_database_url: str,
    sandbox_model: ModelControl,
) -> Iterator[Fleet]:
    """Servers and an environment for processes; nothing is started yet.

    With the parameter `rabbitmq` the messages go there, and Valkey is for the limits alone.
    """
    on_rabbitmq = getattr(request, "param", "valkey") == "rabbitmq"
    other = {"MONGOCLAW_BROKER__URL": request.getfixturevalue("rabbitmq_url")} if on_rabbitmq else {}
    broker = start_valkey(tmp_path / "valkey")
    environ = environ_for(
        tmp_path / "state",
        mongodb=mongo_uri,
        broker=broker.url,
        database=migrated_database_url,
        model=sandbox_model.url,
    )
    environ |= other
    made = Fleet(tmp_path, environ, mongo, mongo_db, sandbox_model, broker, FileSink(tmp_path / "logs"))
    try:
        yield made
    finally:
        for child in made.children.values():
            child.kill()
        made.broker.kill()
        made.sink.close()
        mongo.drop_database(environ["MONGOCLAW_MONGODB__DATABASE"])
