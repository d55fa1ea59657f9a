"""The stage: two watchers and two workers on servers of their own, each behind lines that can be cut."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from pymongo import MongoClient

from sandbox.embedded import ReplicaSet, start_replica_set
from tests.acceptance.conftest import Document, Fleet
from tests.acceptance.publishing import publish_all
from tests.acceptance.storm.agents import RULES
from tests.acceptance.storm.carriers import KINDS, Carrier
from tests.acceptance.storm.network import Network, lay_lines

WATCHERS: Final = ("watcher-1", "watcher-2")
WORKERS: Final = ("worker-1", "worker-2")
PROCESSES: Final = (*WATCHERS, *WORKERS)
OPLOG_MB: Final = 512
"""Holds the longest run, because the judge reads all of it again."""

_WORKER: Final = (
    *("celery", "-A", "mongoclaw_project", "worker", "--pool", "threads", "--concurrency", "16"),
    *("-Q", "mongoclaw", "--without-gossip", "--without-mingle", "--loglevel", "INFO"),
)
_SETTINGS: Final = {
    # A call that a cut line has swallowed holds its thread for so long.
    "MONGOCLAW_AI__REQUEST_TIMEOUT": "10",
    "MONGOCLAW_WORKER__SHUTDOWN_TIMEOUT": "10",
    # A run that is struck again and again has done nothing wrong; its end as a dead letter would count as lost.
    "MONGOCLAW_WORKER__POISON_AFTER": "0",
}


@dataclass(frozen=True)
class Stage:
    """All that a storm strikes. Processes are started from the main thread: they end with the one that did."""

    fleet: Fleet
    mongods: ReplicaSet
    carrier: Carrier
    network: Network

    def start(self, name: str) -> None:
        """Start one of the processes."""
        environ = self.network.environ(name, self.fleet.environ)
        words = ("watcher",) if name in WATCHERS else _WORKER
        replace(self.fleet, environ=environ).start_module(name, *words)


@contextmanager
def set_stage(fleet: Fleet, directory: Path, *, broker: str = "valkey") -> Iterator[Stage]:
    """Start everything for all agents.

    The fleet brings the SQL database, the model and a Valkey, which keeps the limits where another broker is struck.
    """
    with ExitStack() as stack:
        mongods = start_replica_set(directory, oplog_mb=OPLOG_MB)
        stack.callback(mongods.stop)
        mongo: MongoClient[Document] = MongoClient(
            mongods.url, serverSelectionTimeoutMS=20_000, tz_aware=True
        )
        stack.callback(mongo.close)
        carrier = Carrier(KINDS[broker], fleet.directory / broker)
        stack.callback(carrier.kill)
        servers = {"MONGOCLAW_MONGODB__URI": mongods.url, carrier.kind.setting: carrier.server.url}
        fleet.environ = {**fleet.environ, **_SETTINGS, **servers}
        fleet.mongo, fleet.db = mongo, mongo["shop"]
        publish_all(fleet, [fleet.spec(**rule.changes()) for rule in RULES])
        network = stack.enter_context(lay_lines(fleet, mongods, carrier, PROCESSES))
        stage = Stage(fleet, mongods, carrier, network)
        stack.callback(_kill_all, fleet)
        for name in PROCESSES:
            stage.start(name)
        fleet.wait_for(lambda: all("watcher.started" in fleet.log(name) for name in WATCHERS))
        workers = "SELECT count(*) FROM executions_app_workerprocess"
        fleet.wait_for(lambda: fleet.count(workers) >= len(WORKERS))
        yield stage


def _kill_all(fleet: Fleet) -> None:
    for child in fleet.children.values():
        child.kill()
