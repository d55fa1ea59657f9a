"""The MongoDB that the commands of streams speak to, and what they say when it does not serve them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar

from pymongo import MongoClient
from pymongo.database import Database
from pymongo.errors import PyMongoError

from agents_app import registry
from agents_app.errors import Decision, MongoClawError
from agents_app.registry import ActiveAgent
from mongoclaw_project.cli.doctor.mongodb import client, unusable
from mongoclaw_project.cli.output import fail
from mongoclaw_project.config import current
from watcher.leading.control import Controls
from watcher.observing.oplog import read_clock
from watcher.reading.position_store import PositionStore

Document = dict[str, Any]


class MongoUnusable(MongoClawError):
    """MongoDB does not do what the command needs."""

    decision: ClassVar[Decision] = Decision.DEFER
    code: ClassVar[str] = "mongodb_unusable"


@dataclass(frozen=True, slots=True)
class Server:
    """MongoDB, and where MongoClaw keeps its own things in it."""

    client: MongoClient[Document]

    @property
    def home(self) -> Database[Document]:
        """MongoClaw's own database."""
        return self.client.get_database(current().mongodb.database)

    @property
    def controls(self) -> Controls:
        """What is asked of the streams."""
        return Controls(self.home["streams"])

    @property
    def positions(self) -> PositionStore:
        """How far the streams are on record."""
        return PositionStore(self.home[current().mongodb.resume_tokens_collection])

    def now(self) -> datetime:
        """The server's time."""
        return datetime.fromtimestamp(read_clock(self.client, monotonic=0.0).wall, UTC)


@contextmanager
def mongodb() -> Iterator[Server]:
    """Lend the server. Raises MongoUnusable with the remedy in place of pymongo's errors."""
    try:
        with client() as opened:
            yield Server(opened)
    except PyMongoError as error:
        found = unusable(error)
        raise MongoUnusable(f"{found.message}: {found.remedy}") from error


def agents_of(database: str) -> list[ActiveAgent]:
    """The agents at work that watch a database."""
    return [agent for agent in registry.active_agents() if agent.spec.watch.database == database]


def watched() -> set[str]:
    """The databases that agents watch."""
    return {agent.spec.watch.database for agent in registry.active_agents()}


def require_known(server: Server, database: str) -> None:
    """End the command if there is no such stream: neither watched now, nor ever read, nor steered."""
    if database in watched() or database in server.controls.read():
        return
    if database not in {name.partition("#")[0] for name in server.positions.listed()}:
        fail(f"No agent watches database '{database}'; `mongoclaw streams list` shows those that are watched")
