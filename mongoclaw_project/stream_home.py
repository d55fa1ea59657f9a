"""Where MongoClaw keeps what it knows of the streams, and which streams there are."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar

from pymongo import MongoClient
from pymongo.database import Database

from agents_app import registry
from agents_app.errors import Decision, MongoClawError
from agents_app.registry import ActiveAgent
from mongoclaw_project.config import current
from watcher.leading.control import Controls
from watcher.observing.oplog import read_clock, read_oplog, seconds_to_loss
from watcher.reading.cluster import look_at
from watcher.reading.position import PositionRefused
from watcher.reading.position_store import PositionStore

Document = dict[str, Any]


class StreamNotFound(MongoClawError):
    """No agent watches the database.

    Raised as `StreamNotFound(database=…)`, which names it and where those that are watched are listed.
    """

    decision: ClassVar[Decision] = Decision.PERMANENT
    code: ClassVar[str] = "stream_not_found"

    def __init__(self, *, database: str) -> None:
        super().__init__(
            f"No agent watches database '{database}'; `mongoclaw streams list` shows those that are watched",
            database=database,
        )


class StreamOutOfReach(MongoClawError):
    """The stream also feeds agents that this key is not bound to, and steering it would steer them."""

    decision: ClassVar[Decision] = Decision.PERMANENT
    code: ClassVar[str] = "stream_out_of_reach"


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


def agents_of(database: str) -> list[ActiveAgent]:
    """The agents at work that watch a database."""
    return [agent for agent in registry.active_agents() if agent.spec.watch.database == database]


def watched() -> set[str]:
    """The databases that agents watch."""
    return {agent.spec.watch.database for agent in registry.active_agents()}


def require_known(server: Server, database: str) -> None:
    """Raise StreamNotFound if there is no such stream: neither watched now, nor ever read, nor steered.

    Raises pymongo's errors.
    """
    if database in watched() or database in server.controls.read():
        return
    if database not in {name.partition("#")[0] for name in server.positions.listed()}:
        raise StreamNotFound(database=database)


def seconds_until_lost(server: Server, database: str) -> float | None:
    """How many seconds the oplog holds all that follows the position of a database; None if that is not known.

    Raises pymongo's errors.
    """
    oplog = read_oplog(server.client)
    try:
        reached = server.positions.reached(database, look_at(server.client))
    except PositionRefused:
        return None
    return None if oplog is None or reached is None else seconds_to_loss(oplog, reached)
