"""Finding the document that an agent is to work on, or inserting it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import pymongo
from bson import ObjectId, Timestamp
from pymongo import MongoClient, ReadPreference, WriteConcern
from pymongo.client_session import ClientSession
from pymongo.collection import Collection
from pymongo.errors import OperationFailure, WriteError

from executions_app.identity import CODEC
from executions_app.triggers.errors import DocumentAmbiguous, DocumentNotFound, TriggerRefused
from executions_app.triggers.wanted import Wanted

Document = dict[str, Any]

PATIENCE_SECONDS: Final = 10.0
_UNAUTHORIZED: Final = 13
_DUPLICATE: Final = 11000


@dataclass(frozen=True, slots=True)
class Placed:
    """The key of a document that is there, and a cluster time at which it was."""

    key: object
    time: Timestamp


def place(
    client: MongoClient[Document], namespace: tuple[str, str], wanted: Wanted, *, new_id: ObjectId
) -> Placed:
    """Find the document by its `_id`, or insert it; one without an `_id` gets `new_id`.

    The same call again finds what the first one has inserted. Raises DocumentNotFound where only a key was given,
    DocumentAmbiguous, TriggerRefused where MongoDB refuses the document, and pymongo's other errors.
    """
    database, name = namespace
    collection: Collection[Document] = client.get_database(database).get_collection(
        name,
        codec_options=CODEC,
        read_preference=ReadPreference.PRIMARY,
        write_concern=WriteConcern(w="majority"),
    )
    with pymongo.timeout(PATIENCE_SECONDS), client.start_session() as session:
        found = _find(collection, wanted.keys or (new_id,), session)
        if found is not None:
            return found
        if wanted.document is None:
            raise DocumentNotFound(f"There is no document with this _id in {database}.{name}")
        return _insert(collection, {"_id": new_id, **wanted.document}, session)


def _find(
    collection: Collection[Document], keys: tuple[object, ...], session: ClientSession
) -> Placed | None:
    """Look for any of the keys; the key is returned as it is stored, which may be of another number type."""
    any_of: Document = {
        "$or": [{"_id": {"$eq": key}} for key in keys]
    }  # `$in` refuses names that begin with `$`
    found = list(collection.find(any_of, {"_id": 1}, limit=2, session=session))
    if len(found) > 1:
        raise DocumentAmbiguous(
            'Two documents have this _id, one as text and one as ObjectId: write {"$oid": "…"} for the ObjectId. '
            "For the text, give the document a run by changing it"
        )
    return Placed(found[0]["_id"], _time(session)) if found else None


def _insert(collection: Collection[Document], document: Mapping[str, Any], session: ClientSession) -> Placed:
    try:
        collection.insert_one(dict(document), session=session)
    except OperationFailure as error:
        # Somebody was quicker with this very document, or another unique index has one like it.
        there = _find(collection, (document["_id"],), session) if error.code == _DUPLICATE else None
        if there is not None:
            return there
        if isinstance(error, WriteError) or error.code == _UNAUTHORIZED:
            raise TriggerRefused(_why_not(collection, error)) from None
        raise
    return Placed(document["_id"], _time(session))


def _why_not(collection: Collection[Document], error: OperationFailure) -> str:
    """Say why an insert failed, without the server's text, which quotes the document."""
    if error.code == _UNAUTHORIZED:
        return (
            f"MongoDB does not let MongoClaw insert into {collection.full_name}: grant it `insert`, or insert the "
            "document yourself and give document_id"
        )
    fields = ", ".join((error.details or {}).get("keyPattern", {}))
    why = f"another document has the same {fields}" if fields else f"code {error.code}"
    return f"MongoDB refuses to insert the document into {collection.full_name}: {why}"


def _time(session: ClientSession) -> Timestamp:
    time = session.operation_time
    if time is None:
        raise TriggerRefused(
            "MongoDB is a standalone server, which has no change streams and no cluster times"
        )
    return time
