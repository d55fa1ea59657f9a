"""Trying an agent's watch on the server before it is published.

`check` is one of the publish checks that the setting AGENT_PUBLISH_CHECKS names.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from pymongo import MongoClient
from pymongo.database import Database
from pymongo.errors import OperationFailure, PyMongoError

from agents_app.errors import SpecInvalid, SpecProblem
from agents_app.spec import AgentSpec, Operation
from mongoclaw_project.config import current

Document = dict[str, Any]

PATIENCE_MS: Final = 2_000
SAMPLE: Final = 100
_DENIED: Final = 13
_TRANSIENT: Final = frozenset({6, 7, 50, 89, 91, 189, 262, 9001, 10107, 11600, 11602, 13435, 13436})
_UNWATCHABLE: Final = {"view": "a view", "timeseries": "a time-series collection"}


def check(spec: AgentSpec) -> Iterator[str]:
    """Yield warnings about the agent's watch; an unreachable MongoDB is one.

    Raises SpecInvalid if the collection cannot be watched or if the server cannot evaluate the filter.
    """
    try:
        with _client() as client:
            yield from check_on(client, spec)
    except OperationFailure as error:
        yield f"watch: not tried on the server, which says: {_words(error)}"
    except PyMongoError:
        yield (
            "watch: not tried on the server, because MongoDB cannot be reached; "
            "check MONGOCLAW_MONGODB__URI and that the server runs"
        )


def check_on(client: MongoClient[Document], spec: AgentSpec) -> Iterator[str]:
    """As `check`, with a client. Raises pymongo's errors too."""
    database = client.get_database(spec.watch.database)
    yield from _collection(database, spec)
    if spec.watch.filter is not None:
        yield from _filter(database, spec)


def _collection(database: Database[Document], spec: AgentSpec) -> Iterable[str]:
    name = spec.watch.collection
    try:
        found = next(iter(database.list_collections(filter={"name": name})), None)
    except OperationFailure as error:
        if error.code != _DENIED:
            raise
        return
    if found is None:
        place = f"{database.name}.{name}"
        yield f"watch.collection: there is no {place} yet; the agent waits for its first document"
        return
    kind = _UNWATCHABLE.get(str(found.get("type")))
    if kind is not None:
        problem = f"'{name}' is {kind}, and MongoDB reports no changes of those"
        raise SpecInvalid(errors=[SpecProblem("watch.collection", problem)])
    images = found.get("options", {}).get("changeStreamPreAndPostImages", {}).get("enabled")
    if Operation.DELETE in spec.watch.operations and spec.watch.filter is not None and not images:
        yield (
            "watch.filter: a deleted document is gone before it can match a filter; "
            f"deletes in '{name}' need its option changeStreamPreAndPostImages"
        )


def _filter(database: Database[Document], spec: AgentSpec) -> Iterable[str]:
    """Evaluate the filter in the watcher's own shape, on a few documents: that costs the same on any size."""
    collection = database.get_collection(spec.watch.collection)
    keys = [found["_id"] for found in collection.find({}, {"_id": 1}).limit(SAMPLE).max_time_ms(PATIENCE_MS)]
    query = {"$and": [{"_id": {"$in": keys}}, spec.watch.filter]}
    try:
        list(collection.find(query, {"_id": 1}).max_time_ms(PATIENCE_MS))
    except OperationFailure as error:
        if error.code in _TRANSIENT:
            yield f"watch.filter: not tried on the server, which says: {_words(error)}"
            return
        if error.code == _DENIED:
            raise
        problem = f"MongoDB cannot evaluate it: {_words(error)}"
        raise SpecInvalid(errors=[SpecProblem("watch.filter", problem)]) from error


def _client() -> MongoClient[Document]:
    return MongoClient(
        current().mongodb.uri,
        serverSelectionTimeoutMS=PATIENCE_MS,
        connectTimeoutMS=PATIENCE_MS,
        minPoolSize=0,
        appname="mongoclaw-publish",
    )


def _words(error: OperationFailure) -> str:
    details = error.details or {}
    return str(details.get("errmsg") or error)
