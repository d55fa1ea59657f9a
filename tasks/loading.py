"""Reading the newest state of a run's document."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pymongo
from bson import Timestamp
from pymongo import ReadPreference
from pymongo.errors import OperationFailure

from agents_app.spec import AgentSpec, Operation
from enrichment.mongo_errors import mongo_errors
from executions_app.database import release_connection
from executions_app.filter_fault import is_filter_fault
from executions_app.identity import unpack_key
from executions_app.states import Reason
from executions_app.transitions import Claimed
from tasks.errors import FilterNotEvaluated
from tasks.runtime import Document, Runtime


@dataclass(frozen=True, slots=True)
class Loaded:
    """The document as of a cluster time, or why there is none to work on."""

    document: Document | None
    as_of: Timestamp
    operation: str
    missing: Reason | None = None


def load_document(runtime: Runtime, run: Claimed, spec: AgentSpec, *, timeout: float) -> Loaded:
    """Read the document from the primary, not earlier than the event, and only if it still matches the filter.

    The read follows the claim: a change that was coalesced into this row happened before the claim and is seen.
    A document that is gone is a delete where the agent watches deletes and writes elsewhere. `timeout` is in
    seconds.

    Raises FilterNotEvaluated, or the mapped error of an unreachable MongoDB.
    """
    release_connection()
    key = unpack_key(run.document_key)
    by_key: Document = {"_id": {"$eq": key}}
    wanted = {"$and": [by_key, spec.watch.filter]} if spec.watch.filter else by_key
    with pymongo.timeout(timeout):
        document, as_of = _find(runtime, run, wanted)
        if document is not None:
            return Loaded(document, as_of, run.operation)
        if spec.watch.filter and _find(runtime, run, by_key)[0] is not None:
            return Loaded(None, as_of, run.operation, Reason.FILTER_NOT_MATCHED)
    elsewhere = spec.target_namespace != spec.watch_namespace
    if elsewhere and Operation.DELETE in spec.watch.operations and not spec.watch.filter:
        return Loaded({"_id": key}, as_of, Operation.DELETE)
    return Loaded(None, as_of, run.operation, Reason.DOCUMENT_NOT_FOUND)


def _find(runtime: Runtime, run: Claimed, wanted: Document) -> tuple[Document | None, Timestamp]:
    """Give the document and the cluster time that the answer was given at."""
    command: dict[str, Any] = {
        "find": run.collection,
        "filter": wanted,
        "limit": 1,
        "singleBatch": True,
        "readConcern": {"level": "local", "afterClusterTime": run.event_time},
    }
    database = runtime.mongo.get_database(run.database)
    with mongo_errors(f"read {run.database}.{run.collection}"):
        try:
            reply = database.command(
                command, codec_options=runtime.codec, read_preference=ReadPreference.PRIMARY
            )
        except OperationFailure as error:
            if is_filter_fault(error):
                # Not the server's text, and not its error: both quote the document.
                name = (error.details or {}).get("codeName", "unknown reason")
                raise FilterNotEvaluated(
                    f"MongoDB could not evaluate watch.filter on this document: {name}"
                ) from None
            raise
    batch: list[Document] = reply["cursor"]["firstBatch"]
    return (batch[0] if batch else None), reply.get("operationTime", run.event_time)


def load_target(runtime: Runtime, key: object, spec: AgentSpec) -> Document | None:
    """Read what the agent wrote before where it writes into another collection."""
    release_connection()
    database, collection = spec.target_namespace
    with mongo_errors(f"read {database}.{collection}"):
        target = runtime.mongo.get_database(database).get_collection(collection, codec_options=runtime.codec)
        return target.find_one({"_id": {"$eq": key}})
