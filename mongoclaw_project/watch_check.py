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
from agents_app.spec import AgentSpec
from mongoclaw_project.config import current
from watcher.reading.collection import collections_of

Document = dict[str, Any]

PATIENCE_MS: Final = 2_000
SAMPLE: Final = 100
FIRST_WITH_IMAGES: Final = 6
"""The release of MongoDB that came with pre- and post-images."""

_DENIED: Final = 13
_TRANSIENT: Final = frozenset({6, 7, 50, 89, 91, 189, 262, 9001, 10107, 11600, 11602, 13435, 13436})


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
    if spec.watch.image_settings:
        _version(client, spec)
    yield from _collection(database, spec)
    if spec.watch.filter is not None:
        yield from _filter(database, spec)


def _version(client: MongoClient[Document], spec: AgentSpec) -> None:
    version = client.server_info()["version"]
    if int(version.partition(".")[0]) < FIRST_WITH_IMAGES:
        problem = f"needs MongoDB {FIRST_WITH_IMAGES}.0 or newer, and this is {version}"
        paths = (f"watch.{name}" for name in spec.watch.image_settings)
        raise SpecInvalid(errors=[SpecProblem(path, problem) for path in paths])


def _collection(database: Database[Document], spec: AgentSpec) -> Iterable[str]:
    name = spec.watch.collection
    place = f"{database.name}.{name}"
    try:
        facts = collections_of(database, name).get(name)
    except OperationFailure as error:
        if error.code != _DENIED:
            raise
        return
    if facts is None:
        yield f"watch.collection: there is no {place} yet; the agent waits for its first document"
    elif facts.obstacle is not None:
        raise SpecInvalid(errors=[SpecProblem("watch.collection", facts.obstacle)])
    if facts is None or not facts.keeps_images:
        for setting in spec.watch.image_settings:
            yield (
                f"watch.{setting}: {place} keeps no images of changes; "
                f"`mongoclaw images enable {place}` lets it keep those that come from then on"
            )


def _filter(database: Database[Document], spec: AgentSpec) -> Iterable[str]:
    """Evaluate the filter in the watcher's own shape, on a few documents: that costs the same on any size."""
    collection = database.get_collection(spec.watch.collection)
    found = collection.find({}, {"_id": 1}).limit(SAMPLE).max_time_ms(PATIENCE_MS)
    # Without documents first: what the server says then is of the filter alone, and can be told in full.
    for keys, told in (([], _words), ([one["_id"] for one in found], _name)):
        query = {"$and": [{"_id": {"$in": keys}}, spec.watch.filter]}
        try:
            list(collection.find(query, {"_id": 1}).max_time_ms(PATIENCE_MS))
        except OperationFailure as error:
            if error.code in _TRANSIENT:
                yield f"watch.filter: not tried on the server, which says: {told(error)}"
                return
            if error.code == _DENIED:
                raise
            problem = f"MongoDB cannot evaluate it: {told(error)}"
            raise SpecInvalid(errors=[SpecProblem("watch.filter", problem)]) from None


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


def _name(error: OperationFailure) -> str:
    """Name an error; its text may quote a document."""
    return f"it fails on a document ({(error.details or {}).get('codeName', 'unknown reason')})"
