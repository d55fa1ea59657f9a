"""The watcher's connection to MongoDB, refused with a remedy where change streams cannot work."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from pymongo import MongoClient
from pymongo.errors import ConfigurationError as InvalidUri
from pymongo.errors import OperationFailure, PyMongoError

from agents_app.errors import ConfigurationError, Decision, MongoClawError

Document = dict[str, Any]

CALL_SECONDS: Final = 5.0
"""A primary that has frozen is an error after this long for leases and positions.

A stream waits for events and cannot be bounded so; there the driver's own monitor cuts the line, in 30 s.
"""


class MongoUnreachable(MongoClawError):
    """MongoDB cannot be reached; check MONGOCLAW_MONGODB__URI and that the server runs."""

    decision: ClassVar[Decision] = Decision.DEFER
    code: ClassVar[str] = "mongodb_unreachable"


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


def connect(uri: str, timeout_ms: int) -> MongoClient[Document]:
    """Open a client and make sure that the server has change streams.

    Raises MongoUnreachable, NotAReplicaSet.
    """
    try:
        client: MongoClient[Document] = MongoClient(
            uri, serverSelectionTimeoutMS=timeout_ms, appname="mongoclaw-watcher"
        )
        hello = client.admin.command("hello")
    except InvalidUri as error:
        raise MongoUnreachable(f"MONGOCLAW_MONGODB__URI is not a MongoDB address: {error}") from error
    except OperationFailure as error:
        raise MongoUnreachable(
            f"MongoDB refuses the connection: {error.details and error.details.get('errmsg')}"
        ) from error
    except PyMongoError as error:
        raise MongoUnreachable from error
    if "setName" not in hello and hello.get("msg") != "isdbgrid":
        raise NotAReplicaSet
    return client
