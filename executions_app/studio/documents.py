"""Finding the document that an agent is tried on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

from pymongo import MongoClient, ReadPreference
from pymongo.collection import Collection
from pymongo.errors import ExecutionTimeout, OperationFailure, PyMongoError

from agents_app.errors import MongoClawError
from agents_app.spec import AgentSpec
from enrichment.writeback import DOCUMENT_CODEC
from executions_app.mongodb import PATIENCE_MS, mongodb
from executions_app.queries import keys_of

Document = dict[str, Any]


class NoDocument(MongoClawError):
    """There is no such document."""

    code: ClassVar[str] = "no_document"


@contextmanager
def looking() -> Iterator[MongoClient[Document]]:
    """Give the client for a look. Raises NoDocument where MongoDB cannot be asked."""
    try:
        yield mongodb()
    except ExecutionTimeout:
        raise NoDocument(
            f"MongoDB did not find one within {PATIENCE_MS / 1000:g} seconds; name a document by its _id"
        ) from None
    except OperationFailure as error:
        # The name alone: the text may quote a document.
        name = (error.details or {}).get("codeName", type(error).__name__)
        raise NoDocument(f"MongoDB refuses to look for it: {name}") from None
    except PyMongoError as error:
        raise NoDocument(f"MongoDB cannot be reached ({type(error).__name__})") from None


def newest(client: MongoClient[Document], spec: AgentSpec) -> Document:
    """Return the newest document, by `_id`, that the agent would work on. Raises NoDocument and pymongo's errors."""
    found = _collection(client, spec).find(spec.watch.filter or {}).sort("_id", -1).limit(1)
    for document in found.max_time_ms(PATIENCE_MS):
        return document
    raise NoDocument(f"No document of {'.'.join(spec.watch_namespace)} matches watch.filter")


def by_id(client: MongoClient[Document], spec: AgentSpec, text: str) -> Document:
    """Return the document whose `_id` people write so. Raises NoDocument and pymongo's errors."""
    # Each by $eq: a pattern among them is an _id too, and no question for others.
    any_of = {"$or": [{"_id": {"$eq": key}} for key in keys_of(text)]}
    document = _collection(client, spec).find_one(any_of, max_time_ms=PATIENCE_MS)
    if document is None:
        raise NoDocument(f"No document of {'.'.join(spec.watch_namespace)} has the _id {text[:100]}")
    return document


def _collection(client: MongoClient[Document], spec: AgentSpec) -> Collection[Document]:
    database, name = spec.watch_namespace
    return client.get_database(database).get_collection(
        name, codec_options=DOCUMENT_CODEC, read_preference=ReadPreference.PRIMARY
    )
