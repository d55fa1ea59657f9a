"""Makes a started mongod the primary of a replica set of one, whatever its data directory remembers."""

from __future__ import annotations

from typing import Any

from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from sandbox.embedded.ports import LOOPBACK
from sandbox.errors import NotAReplicaSet, ServerStartFailed, ServerUnreachable
from sandbox.waiting import wait_until

SET_NAME = "rs0"
_NOT_YET_INITIALIZED = 94
_ALREADY_INITIALIZED = 23

Client = MongoClient[dict[str, Any]]


def make_primary(port: int, *, seconds: float) -> None:
    """Initiates the set if that is not done yet, and waits until the server accepts writes.

    Raises ServerStartFailed when `seconds` are over.
    """
    address = f"{LOOPBACK}:{port}"
    with _client(port) as client:
        try:
            _initiate_once(client, address)
        except PyMongoError as exc:
            raise ServerStartFailed(f"mongod on {address} could not be made a replica set: {exc}") from exc
        if not wait_until(lambda: _is_primary(client), seconds=seconds):
            raise ServerStartFailed(f"mongod on {address} did not become primary within {seconds:.0f} s")


def rewrite_address(port: int) -> None:
    """Puts this port into the set's configuration, on a server that runs standalone."""
    with _client(port) as client:
        client.local["system.replset"].update_one({}, {"$set": {"members.0.host": f"{LOOPBACK}:{port}"}})


def require_replica_set(uri: str, *, seconds: float = 5.0) -> None:
    """Checks that the deployment at `uri` has change streams; raises NotAReplicaSet or ServerUnreachable."""
    try:
        with MongoClient[dict[str, Any]](uri, serverSelectionTimeoutMS=int(seconds * 1000)) as client:
            hello = client.admin.command("hello")
    except PyMongoError as exc:
        why = str(exc).split(",")[0]
        raise ServerUnreachable(f"MONGOCLAW_MONGODB__URI: MongoDB does not answer: {why}") from exc
    if "setName" not in hello and hello.get("msg") != "isdbgrid":
        raise NotAReplicaSet(
            "MONGOCLAW_MONGODB__URI: this mongod is standalone, without change streams: start it with "
            "`--replSet rs0` and run `rs.initiate()` once in mongosh, or unset the variable"
        )


def _client(port: int) -> Client:
    return MongoClient(f"mongodb://{LOOPBACK}:{port}/?directConnection=true", serverSelectionTimeoutMS=10_000)


def _initiate_once(client: Client, address: str) -> None:
    try:
        client.admin.command("replSetGetStatus")
    except OperationFailure as exc:
        if exc.code != _NOT_YET_INITIALIZED:
            raise
    else:
        return
    try:
        client.admin.command("replSetInitiate", {"_id": SET_NAME, "members": [{"_id": 0, "host": address}]})
    except OperationFailure as exc:
        if exc.code != _ALREADY_INITIALIZED:  # It was still reading its configuration when it was asked.
            raise


def _is_primary(client: Client) -> bool:
    try:
        return bool(client.admin.command("hello").get("isWritablePrimary"))
    except PyMongoError:
        return False
