"""The watcher's connection to MongoDB, refused with a remedy where change streams cannot work."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from typing import Any, ClassVar, Final

import structlog
from pymongo import MongoClient
from pymongo.errors import ConfigurationError as InvalidUri
from pymongo.errors import OperationFailure, PyMongoError

from agents_app.errors import ConfigurationError, Decision, MongoClawError

log = structlog.get_logger(__name__)

Document = dict[str, Any]

CALL_SECONDS: Final = 5.0
"""A primary that has frozen is an error after this long for leases and positions.

A stream waits for events and cannot be bounded so; there the driver's own monitor cuts the line, in 30 s.
"""


RETRY_SECONDS: Final = 1.0
"""Between two tries to reach a MongoDB that is away; each itself lasts for SERVER_SELECTION_TIMEOUT_MS."""


class MongoUnreachable(MongoClawError):
    """MongoDB cannot be reached; check MONGOCLAW_MONGODB__URI and that the server runs."""

    decision: ClassVar[Decision] = Decision.DEFER
    code: ClassVar[str] = "mongodb_unreachable"


class MongoRefuses(ConfigurationError):
    """MongoDB refuses the connection; check MONGOCLAW_MONGODB__URI."""

    code: ClassVar[str] = "mongodb_refuses"


class NotAReplicaSet(ConfigurationError):
    """MongoDB runs standalone, and change streams need a replica set.

    One node is enough: start mongod with `--replSet rs0`, then run `rs.initiate()` once in mongosh.
    """

    code: ClassVar[str] = "mongodb_standalone"

    def __init__(self) -> None:
        super().__init__(
            "MongoDB runs standalone, and change streams need a replica set: "
            "start mongod with --replSet rs0, then run rs.initiate() once in mongosh (one node is enough)"
        )


def connect_patiently(uri: str, timeout_ms: int, stopping: threading.Event) -> MongoClient[Document] | None:
    """Open a client once MongoDB can be reached; None if asked to stop before. Raises MongoRefuses, NotAReplicaSet.

    One that started while MongoDB was away would otherwise end where one that had started before it goes on.
    """
    while not stopping.is_set():
        try:
            return connect(uri, timeout_ms)
        except MongoUnreachable as error:
            log.warning("watcher.waiting_for_mongodb", reason=str(error))
            stopping.wait(RETRY_SECONDS)
    return None


def connect(uri: str, timeout_ms: int) -> MongoClient[Document]:
    """Open a client and make sure that the server has change streams.

    Raises MongoUnreachable, MongoRefuses, NotAReplicaSet.
    """
    try:
        client: MongoClient[Document] = MongoClient(
            uri, serverSelectionTimeoutMS=timeout_ms, appname="mongoclaw-watcher"
        )
    except InvalidUri as error:
        raise MongoRefuses(f"MONGOCLAW_MONGODB__URI is not a MongoDB address: {error}") from error
    with ExitStack() as failing:
        failing.callback(client.close)
        _require_streams(client)
        failing.pop_all()
    return client


def _require_streams(client: MongoClient[Document]) -> None:
    try:
        hello = client.admin.command("hello")
    except OperationFailure as error:
        raise MongoRefuses(
            f"MongoDB refuses the connection: {error.details and error.details.get('errmsg')}"
        ) from error
    except PyMongoError as error:
        raise MongoUnreachable from error
    if "setName" not in hello and hello.get("msg") != "isdbgrid":
        raise NotAReplicaSet
