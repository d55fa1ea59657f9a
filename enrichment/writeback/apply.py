"""Applies a planned write, and tells why it did not land if it did not."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, Literal

import pymongo
from bson.binary import UuidRepresentation
from bson.codec_options import CodecOptions, DatetimeConversion
from pymongo import MongoClient, ReadPreference, WriteConcern
from pymongo.client_session import ClientSession
from pymongo.collection import Collection
from pymongo.errors import DuplicateKeyError, OperationFailure

from enrichment.errors import WriteContended
from enrichment.mongo_errors import mongo_errors
from enrichment.writeback.obstacles import explain, fold
from enrichment.writeback.plan import Guard, WritePlan
from enrichment.writeback.provenance import is_newer, is_own, read_trace

# Reads any document: dates beyond Python's range, UUIDs of both kinds, times with their zone.
DOCUMENT_CODEC: CodecOptions[dict[str, Any]] = CodecOptions(
    tz_aware=True,
    uuid_representation=UuidRepresentation.STANDARD,
    datetime_conversion=DatetimeConversion.DATETIME_AUTO,
)
_TRIES = 5  # a document can change between the update that misses and the look at why
_PATH_ERRORS = frozenset({2, 14, 28})  # BadValue, TypeMismatch, PathNotViable

Outcome = Literal["written", "already_written", "superseded", "conflict", "document_not_found"]
_Doc = dict[str, Any]


@dataclass(frozen=True, slots=True)
class WriteResult:
    """What became of a write. `reason` is the code on record; `changed` says if the document is different."""

    outcome: Outcome
    reason: str
    changed: bool = False


def apply_write(client: MongoClient[Any], plan: WritePlan, *, timeout: float | None = None) -> WriteResult:
    """Write once. Applying the same plan again, by whomever and after whatever error, changes nothing more.

    `timeout` is in seconds, for all of it. Raises WriteRefused, WriteContended, or an error of the
    `MongoError` family.
    """
    place = f"write to {plan.database}.{plan.collection}"
    with mongo_errors(place), pymongo.timeout(timeout) if timeout is not None else nullcontext():
        for _ in range(_TRIES):
            changed = _attempt(client, plan, place)
            if changed is not None:
                return WriteResult("written", "written", changed)
            missed = _why(client, plan)
            if missed is not None:
                return missed
    raise WriteContended(f"{place}: the document changed {_TRIES} times in a row")


def _attempt(client: MongoClient[Any], plan: WritePlan, place: str) -> bool | None:
    """Return whether the document changed, or None if the filter did not match."""
    if plan.source is None:
        return _update(_target(client, plan), plan, place, None)
    with client.start_session() as session:
        return session.with_transaction(
            lambda inner: _guarded(client, plan, place, inner),
            write_concern=WriteConcern("majority"),
            read_preference=ReadPreference.PRIMARY,
        )


def _guarded(client: MongoClient[Any], plan: WritePlan, place: str, session: ClientSession) -> bool | None:
    source = plan.source
    if source is None:
        return None
    guard = _open(client, source.database, source.collection)
    # Writing the source locks it: no edit can come between this check and the write.
    if guard.update_one(source.filter, source.update, session=session).matched_count:
        changed = _update(_target(client, plan), plan, place, session)
        if changed is not None:
            return changed
    session.abort_transaction()
    return None


def _update(
    target: Collection[_Doc], plan: WritePlan, place: str, session: ClientSession | None
) -> bool | None:
    try:
        return _send(target, plan, plan.filter, plan.update, session)
    except OperationFailure as error:
        if error.code not in _PATH_ERRORS or session is not None:
            raise
    document = target.find_one({"_id": {"$eq": plan.document_id}}) or {}
    folded = fold(plan.update, document, plan.foldable)
    if folded is None:
        raise explain(plan.update, document, place)
    return _send(target, plan, {"$and": [plan.filter, folded.filter]}, folded.update, session)


def _send(
    target: Collection[_Doc],
    plan: WritePlan,
    condition: Mapping[str, Any],
    update: Mapping[str, Any],
    session: ClientSession | None,
) -> bool | None:
    try:
        result = target.update_one(condition, update, upsert=plan.upsert, session=session)
    except DuplicateKeyError as error:
        # The document is there and the filter does not match it, so the upsert tried to insert it: it is
        # fenced off.
        if plan.upsert and _is_id(error):
            return None
        raise
    if result.matched_count == 0 and result.upserted_id is None and not result.did_upsert:
        return None
    return result.modified_count > 0 or result.did_upsert


def _is_id(error: DuplicateKeyError) -> bool:
    pattern = (error.details or {}).get("keyPattern")
    return isinstance(pattern, Mapping) and list(pattern) == ["_id"]


def _why(client: MongoClient[Any], plan: WritePlan) -> WriteResult | None:
    """Say why the filter did not match, or None if it should match now."""
    paths = [path for path in (plan.entry_path, *plan.pushes) if path is not None]
    found = _target(client, plan).find_one({"_id": {"$eq": plan.document_id}}, [*paths, "_id"])
    if found is not None:
        trace = None if plan.entry_path is None else read_trace(found, plan.entry_path)
        if trace is not None and is_own(trace, plan.provenance):
            return WriteResult("already_written", "already_written")
        if trace is not None and is_newer(trace, plan.provenance):
            return WriteResult("superseded", "superseded")
        if plan.entry_path is None and _holds_elements(client, plan):
            return WriteResult("already_written", "already_written")
    elif not plan.upsert:
        return WriteResult("document_not_found", "document_not_found")
    if plan.source is not None and not _source_exists(client, plan.source):
        return WriteResult("document_not_found", "document_not_found")
    return None if plan.conflict is None else WriteResult("conflict", plan.conflict)


def _holds_elements(client: MongoClient[Any], plan: WritePlan) -> bool:
    if not plan.pushes:
        return False
    query = {
        "_id": {"$eq": plan.document_id},
        **{path: {"$eq": value} for path, value in plan.pushes.items()},
    }
    return _target(client, plan).find_one(query, ["_id"]) is not None


def _source_exists(client: MongoClient[Any], source: Guard) -> bool:
    query = {"_id": source.filter["_id"]}
    return _open(client, source.database, source.collection).find_one(query, ["_id"]) is not None


def _target(client: MongoClient[Any], plan: WritePlan) -> Collection[_Doc]:
    return _open(client, plan.database, plan.collection)


def _open(client: MongoClient[Any], database: str, collection: str) -> Collection[_Doc]:
    # Majority, whatever the client's default: a write that an election rolls back would stay on record as
    # done.
    return client[database].get_collection(
        collection,
        codec_options=DOCUMENT_CODEC,
        read_preference=ReadPreference.PRIMARY,
        write_concern=WriteConcern("majority"),
    )
