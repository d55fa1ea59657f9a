"""Reading the newest state of a run's document."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bson import Timestamp
from pymongo import ReadPreference
from pymongo.errors import OperationFailure

from agents_app.spec import AgentSpec
from enrichment.mongo_errors import mongo_errors
from executions_app.identity import unpack_key
from executions_app.states import Reason
from executions_app.transitions import Claimed
from tasks.errors import FilterNotEvaluated
from tasks.runtime import Document, Runtime

_FILTER_FAULTS = frozenset({2, 9, 14, 16, 51024, 51075, 51091, 51108})
"""Server codes for an expression that cannot be evaluated: BadValue, FailedToParse, TypeMismatch and kin."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """The document, or why there is none to work on."""

    key: object
    document: Document | None
    missing: Reason | None = None


def load_document(runtime: Runtime, run: Claimed, spec: AgentSpec) -> Loaded:
    """Read the document from the primary, not earlier than the event, and only if it still matches the filter.

    The read follows the claim: a change that was coalesced into this row happened before the claim and is seen.

    Raises FilterNotEvaluated, or the mapped error of an unreachable MongoDB.
    """
    key = unpack_key(run.document_key)
    if run.operation == "delete" and spec.target_namespace != spec.watch_namespace:
        return Loaded(key, {"_id": key})
    by_key: Document = {"_id": {"$eq": key}}
    wanted = {"$and": [by_key, spec.watch.filter]} if spec.watch.filter else by_key
    document = _find(runtime, run, wanted, run.event_time)
    if document is not None:
        return Loaded(key, document)
    if spec.watch.filter and _find(runtime, run, by_key, run.event_time) is not None:
        return Loaded(key, None, Reason.FILTER_NOT_MATCHED)
    return Loaded(key, None, Reason.DOCUMENT_NOT_FOUND)


def _find(runtime: Runtime, run: Claimed, wanted: Document, not_before: Timestamp) -> Document | None:
    command: dict[str, Any] = {
        "find": run.collection,
        "filter": wanted,
        "limit": 1,
        "singleBatch": True,
        "readConcern": {"level": "local", "afterClusterTime": not_before},
    }
    database = runtime.mongo.get_database(run.database)
    with mongo_errors(f"read {run.database}.{run.collection}"):
        try:
            reply = database.command(
                command, codec_options=runtime.codec, read_preference=ReadPreference.PRIMARY
            )
        except OperationFailure as error:
            if error.code in _FILTER_FAULTS:
                # Not the server's text, and not its error: both quote the document.
                name = (error.details or {}).get("codeName", "unknown reason")
                raise FilterNotEvaluated(
                    f"MongoDB could not evaluate watch.filter on this document: {name}"
                ) from None
            raise
    batch: list[Document] = reply["cursor"]["firstBatch"]
    return batch[0] if batch else None


def load_target(runtime: Runtime, key: object, spec: AgentSpec) -> Document | None:
    """Read what the agent wrote before where it writes into another collection."""
    database, collection = spec.target_namespace
    with mongo_errors(f"read {database}.{collection}"):
        target = runtime.mongo.get_database(database).get_collection(collection, codec_options=runtime.codec)
        return target.find_one({"_id": {"$eq": key}})
