"""Reading what a run works on: the document's newest state, or its state before or after one change."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

import pymongo
from bson import Timestamp
from pymongo import ReadPreference
from pymongo.errors import OperationFailure

from agents_app.spec import AgentSpec, Operation
from enrichment.mongo_errors import mongo_errors
from executions_app.database import release_connection
from executions_app.filter_fault import is_filter_fault
from executions_app.identity import unpack_key
from executions_app.run import Claimed
from executions_app.states import Reason
from tasks.errors import FilterNotEvaluated, ImageMissing
from tasks.images import Image, read_change, read_deletion
from tasks.runtime import Document, Runtime

_LEAVING: Final = frozenset({Operation.INSERT, Operation.UPDATE, Operation.REPLACE})
"""Operations that leave a document behind; the others are deletes, and documents of a backfill."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """The document as of a cluster time, or why there is none to work on.

    `before` is its state before the change, where the agent asks for it and there is one.
    """

    document: Document | None
    as_of: Timestamp
    operation: str
    missing: Reason | None = None
    before: Document | None = None


@dataclass(frozen=True, slots=True)
class _Request:
    """Which document is read, for whom."""

    runtime: Runtime
    run: Claimed
    spec: AgentSpec
    key: object


def load_document(runtime: Runtime, run: Claimed, spec: AgentSpec, *, timeout: float) -> Loaded:
    """Read the document from the primary, and only if it matches the filter. `timeout` is in seconds.

    1. An agent that asks for the state after the change gets that.
    2. Any other gets the newest state, not earlier than the event. The read follows the claim: a change that was
       coalesced into this row happened before the claim and is seen.
    3. A document that is gone is a delete where the agent watches deletes and writes elsewhere.

    Raises FilterNotEvaluated, ImageMissing, or the mapped error of an unreachable MongoDB.
    """
    release_connection()
    request = _Request(runtime, run, spec, unpack_key(run.document_key))
    with pymongo.timeout(timeout):
        loaded = _after_change(request) or _newest(request)
        if loaded.document is None or loaded.before is not None:
            return loaded
        return replace(loaded, before=_before_change(request))


def _after_change(request: _Request) -> Loaded | None:
    """Read the state that the change left, if the agent asks for it and MongoDB has it."""
    run, watch = request.run, request.spec.watch
    if not watch.wants_state_after or run.operation not in _LEAVING:
        return None
    change = read_change(request.runtime, run, Image.AFTER, joined=request.spec.coalesces)
    if change is not None and change.image is not None:
        if not _matches(request, change.image):
            return Loaded(None, run.event_time, run.operation, Reason.FILTER_NOT_MATCHED)
        return Loaded(change.image, run.event_time, run.operation)
    if watch.full_document == "required":
        raise _missing(request, "post-image", "watch.full_document")
    return None


def _newest(request: _Request) -> Loaded:
    run, spec = request.run, request.spec
    by_key: Document = {"_id": {"$eq": request.key}}
    wanted = {"$and": [by_key, spec.watch.filter]} if spec.watch.filter else by_key
    document, as_of = _find(request.runtime, run, wanted)
    if spec.watch.wants_state_after:
        # Runs of such an agent are ordered by their events, whichever state they get.
        as_of = run.event_time
    if _is_about_deletion(run, spec):
        return _deleted(request, as_of)
    if document is not None:
        return Loaded(document, as_of, run.operation)
    if spec.watch.filter and _find(request.runtime, run, by_key)[0] is not None:
        return Loaded(None, as_of, run.operation, Reason.FILTER_NOT_MATCHED)
    return _deleted(request, as_of)


def _is_about_deletion(run: Claimed, spec: AgentSpec) -> bool:
    """Tell whether the deletion itself is to be answered, even if the document is there again.

    Where edits coalesce and new documents are watched, one run for the newest state answers both.
    """
    joined = spec.coalesces and not {Operation.INSERT, Operation.REPLACE}.isdisjoint(spec.watch.operations)
    return run.operation == Operation.DELETE and spec.watch.wants_state_before and not joined


def _deleted(request: _Request, as_of: Timestamp) -> Loaded:
    """Give what is known of a document that is gone, if its deletion is the agent's business."""
    run, spec = request.run, request.spec
    gone = Loaded(None, as_of, run.operation, Reason.DOCUMENT_NOT_FOUND)
    if spec.target_namespace == spec.watch_namespace or Operation.DELETE not in spec.watch.operations:
        return gone
    if spec.watch.wants_state_before:
        deletion = read_deletion(request.runtime, run)
        if deletion is not None and deletion.image is not None:
            as_of = max(as_of, deletion.time)
            if not _matches(request, deletion.image):
                return Loaded(None, as_of, Operation.DELETE, Reason.FILTER_NOT_MATCHED)
            return Loaded(deletion.image, as_of, Operation.DELETE, before=deletion.image)
        if spec.watch.full_document_before_change == "required":
            raise _missing(request, "pre-image", "watch.full_document_before_change")
    return gone if spec.watch.filter else Loaded({"_id": request.key}, as_of, Operation.DELETE)


def _before_change(request: _Request) -> Document | None:
    """Read the state before the change, if the agent asks for it and there was one."""
    run, watch = request.run, request.spec.watch
    if not watch.wants_state_before or run.operation not in _LEAVING - {Operation.INSERT}:
        return None
    change = read_change(request.runtime, run, Image.BEFORE, joined=request.spec.coalesces)
    if change is not None and (change.image is not None or change.operation == Operation.INSERT):
        return change.image
    if watch.full_document_before_change == "required":
        raise _missing(request, "pre-image", "watch.full_document_before_change")
    return None


def _missing(request: _Request, image: str, setting: str) -> ImageMissing:
    place = f"{request.run.database}.{request.run.collection}"
    return ImageMissing(
        f"MongoDB has no {image} of this {request.run.operation} in {place}, and {setting} is required. "
        f"`mongoclaw images enable {place}` lets it keep them from then on, as long as the oplog or "
        "expireAfterSeconds holds; whenAvailable does without"
    )


def _matches(request: _Request, image: Document) -> bool:
    """Let the server evaluate the filter on an image, by the rules of the collection, its collation among them."""
    run, filter_ = request.run, request.spec.watch.filter
    if not filter_:
        return True
    one = [{"$documents": {"$literal": [image]}}, {"$match": filter_}, {"$project": {"_id": 1}}]
    command = {
        "aggregate": run.collection,
        "pipeline": [{"$match": {"_id": {"$in": []}}}, {"$unionWith": {"pipeline": one}}],
        "cursor": {},
    }
    return bool(_ask(request.runtime, run, command)["cursor"]["firstBatch"])


def _find(runtime: Runtime, run: Claimed, wanted: Document) -> tuple[Document | None, Timestamp]:
    """Give the document and the cluster time that the answer was given at."""
    command: dict[str, Any] = {
        "find": run.collection,
        "filter": wanted,
        "limit": 1,
        "singleBatch": True,
        "readConcern": {"level": "local", "afterClusterTime": run.event_time},
    }
    reply = _ask(runtime, run, command)
    batch: list[Document] = reply["cursor"]["firstBatch"]
    return (batch[0] if batch else None), reply.get("operationTime", run.event_time)


def _ask(runtime: Runtime, run: Claimed, command: dict[str, Any]) -> dict[str, Any]:
    """Give the primary's reply to a command with a filter."""
    database = runtime.mongo.get_database(run.database)
    with mongo_errors(f"read {run.database}.{run.collection}"):
        try:
            return database.command(
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


def load_target(runtime: Runtime, key: object, spec: AgentSpec) -> Document | None:
    """Read what the agent wrote before where it writes into another collection."""
    release_connection()
    database, collection = spec.target_namespace
    with mongo_errors(f"read {database}.{collection}"):
        target = runtime.mongo.get_database(database).get_collection(collection, codec_options=runtime.codec)
        return target.find_one({"_id": {"$eq": key}})
