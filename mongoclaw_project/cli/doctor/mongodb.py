"""Examining MongoDB: the server, what its user may do, and how far back changes can be read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any, Final

from pymongo import MongoClient
from pymongo.errors import ConfigurationError, OperationFailure, PyMongoError

from agents_app.spec import AgentSpec
from mongoclaw_project.cli.doctor.finding import Finding, bad, doubtful, good
from mongoclaw_project.cli.info import place
from mongoclaw_project.config import current
from watcher.observing.oplog import Oplog, read_oplog
from watcher.reading.cluster import look_at

Document = dict[str, Any]

OLDEST: Final = (5, 0)
OLDEST_MAINTAINED: Final = (6, 0)
PATIENCE_MS: Final = 3_000
NOBODY: Final = "mongoclaw-doctor"
"""An `_id` that no document has: an update of it asks for the permission and changes nothing."""

TINY_WINDOW: Final = timedelta(hours=1)
_DENIED: Final = 13
_WRONG_CREDENTIALS: Final = 18


def client() -> MongoClient[Document]:
    """A client with little patience. Raises ConfigurationError and its kin for a wrong address."""
    return MongoClient(
        current().mongodb.uri,
        serverSelectionTimeoutMS=PATIENCE_MS,
        connectTimeoutMS=PATIENCE_MS,
        minPoolSize=0,
        appname="mongoclaw-doctor",
    )


def examine_server() -> Iterator[Finding]:
    """Look at the server itself: reachable, a replica set, recent enough, writable."""
    try:
        with client() as mongo:
            yield from _server(mongo)
    except PyMongoError as error:
        yield unusable(error)


def examine_access(specs: Iterable[AgentSpec]) -> Iterator[Finding]:
    """Look at what the agents need: reading, watching and writing, each by doing it without effect."""
    specs = list(specs)
    try:
        with client() as mongo:
            for database in sorted({spec.watch.database for spec in specs}):
                yield from _watching(mongo, database)
            for namespace in sorted({spec.watch_namespace for spec in specs}):
                yield from _reading(mongo, *namespace)
            for namespace in sorted({spec.target_namespace for spec in specs}):
                yield from _writing(mongo, *namespace)
            yield from _sharding(mongo, sorted({spec.watch_namespace for spec in specs}))
            yield from _identity(mongo)
            wanted = timedelta(hours=current().watcher.expected_downtime_hours)
            yield from judged(read_oplog(mongo), wanted)
    except PyMongoError as error:
        yield unusable(error)


def unusable(error: PyMongoError) -> Finding:
    """What an error of the driver means and what to do about it."""
    where = place(current().mongodb.uri)
    if isinstance(error, OperationFailure):
        if error.code == _WRONG_CREDENTIALS:
            return bad(f"{where} refuses the user name or password", "correct them in MONGOCLAW_MONGODB__URI")
        if error.code == _DENIED:
            return bad(f"{where} wants a user name: {words(error)}", "put it into MONGOCLAW_MONGODB__URI")
        return bad(f"{where} refuses a command: {words(error)}", "look into the server's log")
    if isinstance(error, ConfigurationError):
        return bad(f"MONGOCLAW_MONGODB__URI cannot be used: {error}", "correct the address")
    if "not primary" in str(error) or "Primary()" in str(error):
        return bad(f"the replica set at {where} has no primary", "look at rs.status() in mongosh")
    return bad(
        f"{where} cannot be reached",
        "start MongoDB there, or everything by `mongoclaw dev`, or correct MONGOCLAW_MONGODB__URI",
    )


def words(error: OperationFailure) -> str:
    """The server's own words."""
    return str((error.details or {}).get("errmsg") or error)


def _server(mongo: MongoClient[Document]) -> Iterator[Finding]:
    hello = mongo.admin.command("hello")
    version = str(mongo.server_info()["version"])
    where = place(current().mongodb.uri)
    if hello.get("isreplicaset"):
        yield bad(f"the replica set at {where} was never initiated", "run rs.initiate() once in mongosh")
        return
    if "setName" not in hello and hello.get("msg") != "isdbgrid":
        yield bad(
            f"{where} is a standalone server, which has no change streams",
            "start mongod with --replSet rs0, then run rs.initiate() once in mongosh; one node is enough",
        )
        return
    kind = f"replica set {hello['setName']}" if "setName" in hello else "a sharded cluster"
    yield good(f"{where} answers: MongoDB {version}, {kind}")
    yield from _age(version)
    if hello.get("isWritablePrimary") is False:
        yield bad(
            f"{where} is not the primary",
            "name all members and replicaSet= in MONGOCLAW_MONGODB__URI, without directConnection",
        )
        return
    yield from _writing(mongo, current().mongodb.database, "leases")


def _age(version: str) -> Iterator[Finding]:
    known = tuple(int(part) for part in version.split(".")[:2])
    if known < OLDEST:
        yield bad(f"MongoDB {version} is too old", f"use {OLDEST[0]}.{OLDEST[1]} or newer")
    elif known < OLDEST_MAINTAINED:
        newest = f"{OLDEST_MAINTAINED[0]}.{OLDEST_MAINTAINED[1]}"
        yield doubtful(f"MongoDB {version} gets no fixes any more", f"upgrade to {newest} or newer")


def _watching(mongo: MongoClient[Document], database: str) -> Iterator[Finding]:
    try:
        with mongo.get_database(database).watch(max_await_time_ms=1):
            yield good(f"changes of database {database} can be watched")
    except OperationFailure as error:
        yield _refused(
            error, f"changes of database {database} cannot be watched", "changeStream and find", database
        )


def _reading(mongo: MongoClient[Document], database: str, collection: str) -> Iterator[Finding]:
    try:
        mongo.get_database(database).get_collection(collection).find_one({"_id": NOBODY})
    except OperationFailure as error:
        yield _refused(error, f"{database}.{collection} cannot be read", "find", f"{database}.{collection}")
        return
    yield good(f"{database}.{collection} can be read")


def _writing(mongo: MongoClient[Document], database: str, collection: str) -> Iterator[Finding]:
    target = mongo.get_database(database).get_collection(collection)
    try:
        target.update_one({"_id": NOBODY}, {"$unset": {NOBODY: ""}})
    except OperationFailure as error:
        yield _refused(
            error,
            f"{database}.{collection} cannot be written",
            "update and insert",
            f"{database}.{collection}",
        )
        return
    yield good(f"{database}.{collection} can be written")


def _refused(error: OperationFailure, what: str, needed: str, place_: str) -> Finding:
    if error.code == _DENIED and "authentication" in words(error):
        return bad(f"{what}: the server wants a user", "put a user and password into MONGOCLAW_MONGODB__URI")
    if error.code == _DENIED:
        return bad(f"{what}: the user lacks the permission", f"grant it {needed} on {place_}")
    return bad(f"{what}: {words(error)}", "mend what the server says")


def judged(oplog: Oplog | None, wanted: timedelta) -> Iterator[Finding]:
    """Tell how long the watchers may be away before changes are lost, and whether that is as long as is `wanted`."""
    if oplog is None:
        yield doubtful(
            "how far back changes can be read is not known: the user may not read local.oplog.rs, "
            "or this is a sharded cluster",
            "grant it read on database local; on a sharded cluster look at each shard with rs.printReplicationInfo()",
        )
        return
    window = timedelta(seconds=oplog.window)
    if oplog.headroom > 0:
        yield good(f"no change has been dropped from the oplog yet; it reaches back {window}")
        return
    if window >= wanted:
        yield good(f"the oplog reaches back {window}")
        return
    say = bad if window < TINY_WINDOW else doubtful
    yield say(
        f"the oplog reaches back {window} only: watchers that are away for longer lose changes, "
        f"and {wanted} are expected (MONGOCLAW_WATCHER__EXPECTED_DOWNTIME_HOURS)",
        "enlarge it: `db.adminCommand({replSetResizeOplog: 1, size: <megabytes>})` on each member",
    )


def _identity(mongo: MongoClient[Document]) -> Iterator[Finding]:
    """A position names its cluster, so that one of a restored copy is not mistaken for this one's."""
    if look_at(mongo).id is None:
        yield doubtful(
            "the cluster's identity is not known: the user may not run replSetGetConfig, so a position that "
            "came with a copy of another cluster's data would be used",
            "grant it the role clusterMonitor on admin",
        )


def _sharding(mongo: MongoClient[Document], namespaces: Iterable[tuple[str, str]]) -> Iterator[Finding]:
    """Documents are told apart by `_id`, which only a shard key on it makes unique in all of a cluster."""
    names = [".".join(namespace) for namespace in namespaces]
    try:
        found = list(mongo.get_database("config").get_collection("collections").find({"_id": {"$in": names}}))
    except OperationFailure:
        return
    for entry in found:
        key = entry.get("key", {})
        if set(key) == {"_id"}:
            yield good(f"{entry['_id']} is sharded by _id")
            continue
        yield doubtful(
            f"{entry['_id']} is sharded by {', '.join(key)}: two documents on two shards may have the same _id",
            "make sure that _id is unique in the whole cluster, as ObjectIds are",
        )
