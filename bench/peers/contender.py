"""What takes part: a running system that enriches the tickets of one collection."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pymongo import MongoClient
from pymongo.collection import Collection

from bench.fleet import Document, running_system
from bench.peers.installation import Installation
from bench.processes import Usage, usage_of
from bench.scenarios import agent
from bench.servers import Servers
from sandbox.child_output import FileSink
from sandbox.children import Command
from sandbox.embedded.ports import reserved_port
from sandbox.supervisor import ChildSpec, Supervisor

SLOTS: Final = 64


@dataclass(frozen=True)
class Contender:
    """A running system: its collection, its processes beside the servers, and their supervisor."""

    tickets: Collection[Document]
    servers: Servers
    supervisor: Supervisor
    pids: dict[str, int]

    def usage(self) -> dict[str, Usage]:
        """CPU and memory of its processes and of the servers so far."""
        return {name: usage_of(pid) for name, pid in (self.servers.pids | self.pids).items()}


def spec(database: str, **ai: Any) -> Document:
    """The same agent for both. The schema stands in the prompt too: 1.0.4 never sends it to the model."""
    found = agent(**ai)
    schema = json.dumps(found["ai"]["response_schema"])
    found["ai"]["prompt"] += f"\nAnswer with one object that fits this JSON Schema: {schema}"
    found["watch"]["database"] = database
    return found


@contextmanager
def ours(directory: Path, servers: Servers, database: str) -> Iterator[Contender]:
    """This system: two worker processes of 32 threads each, one watcher, one web server, SQLite as its ledger."""
    options: dict[str, Any] = {"workers": 2, "threads": SLOTS // 2}
    with running_system(directory, servers, **options) as fleet:
        fleet.create_agent(spec(database))
        own = {name: pid for name, pid in fleet.pids.items() if name not in servers.pids}
        yield Contender(fleet.mongo[database].tickets, servers, fleet.supervisor, own)


@contextmanager
def peer(directory: Path, servers: Servers, database: str, installation: Installation) -> Iterator[Contender]:
    """MongoClaw 1.0.4: its one process, with its agent created before the start, without which it hangs.

    A second process would double all its calls, and its `external` provider opens a client for each call, so it gets
    one process and litellm, which it was built for.
    """
    environ = peer_environment(servers, f"{database}_system")
    path = directory / "agent.json"
    path.write_text(json.dumps(spec(database, provider="openai", model="gpt-4o-mini")))
    create = [installation.command, "agents", "create", "-f", str(path)]
    subprocess.run(create, env=environ, check=True, capture_output=True, timeout=120)
    with (
        Supervisor(FileSink(directory / "logs")) as supervisor,
        MongoClient[Document](servers.mongo_url) as mongo,
    ):
        with reserved_port(directory / "web.port") as port:
            words = ("server", "start", "--host", "127.0.0.1", "--port", str(port))
        command = Command((installation.command, *words), env=environ, directory=directory)
        child = supervisor.start(ChildSpec("mongoclaw-1.0.4", command, stop_seconds=10.0))
        yield Contender(mongo[database].tickets, servers, supervisor, {"server": child.process.pid})


def peer_environment(servers: Servers, database: str) -> dict[str, str]:
    """The settings of 1.0.4: as many workers as we have threads, and connections enough for them."""
    return {
        **{key: value for key, value in os.environ.items() if not key.startswith("MONGOCLAW_")},
        **servers.openai,
        "PYTHONPATH": "",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "MONGOCLAW_MONGODB__URI": servers.mongo_url,
        "MONGOCLAW_MONGODB__DATABASE": database,
        "MONGOCLAW_REDIS__URL": servers.broker_url,
        "MONGOCLAW_REDIS__MAX_CONNECTIONS": "300",
        "MONGOCLAW_AI__CACHE_ENABLED": "false",
        "MONGOCLAW_WORKER__POOL_SIZE": str(SLOTS),
        "MONGOCLAW_OBSERVABILITY__LOG_LEVEL": "WARNING",
    }
