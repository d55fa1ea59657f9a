"""The plan of a write is a value: what it touches can be checked, shown and stored before anything happens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from agents_app.spec import VERSION_FIELD, AgentSpec, ConsistencyMode
from agents_app.spec.strategy import Assignment
from enrichment.writeback import provenance as origin
from enrichment.writeback.inputs import ReadState, unchanged
from enrichment.writeback.provenance import Provenance
from enrichment.writeback.targets import assign, hidden_roots, places


@dataclass(frozen=True, slots=True)
class Guard:
    """An update of the watched document in the same transaction, for a strict write to another collection."""

    database: str
    collection: str
    filter: Mapping[str, Any] = field(repr=False)
    update: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class WritePlan:
    """One conditional update and what is needed to explain it.

    `foldable` are paths that may turn from null into an object. `dropped` names keys of the answer that are
    not written.
    """

    database: str
    collection: str
    document_id: object
    filter: Mapping[str, Any] = field(repr=False)
    update: Mapping[str, Any] = field(repr=False)
    upsert: bool
    provenance: Provenance
    entry_path: str | None
    pushes: Mapping[str, Any] = field(default_factory=dict, repr=False)
    foldable: frozenset[str] = frozenset()
    conflict: str | None = None
    source: Guard | None = None
    dropped: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Strict:
    """Filter and counter that make a write depend on its inputs."""

    filter: Mapping[str, Any]
    reason: str


def plan_write(  # noqa: PLR0917 - the order of the story: whose, where, what, from whom, read how, when
    spec: AgentSpec,
    document_id: object,
    result: Mapping[str, Any],
    provenance: Provenance,
    read: ReadState | None,
    now: datetime,
    *,
    protected: frozenset[str] = frozenset(),
) -> WritePlan:
    """Plan the one update that writes `result` to the document with this `_id`, of any BSON type.

    `read` is needed in strict_post_commit only; None there says that it was deleted. `protected`
    are paths that never change: a shard key's. Raises WriteRefused if the answer cannot be written, or not
    there.
    """
    assignment = assign(spec, result, protected=protected)
    strict = _strict(spec, read)
    elsewhere = spec.target_namespace != spec.watch_namespace
    here = None if elsewhere else strict
    database, collection = spec.target_namespace
    return WritePlan(
        database=database,
        collection=collection,
        document_id=document_id,
        filter=_filter(document_id, [*_repeat_guard(spec, assignment, provenance), *_inputs(here)]),
        update=_update(spec, assignment, provenance, now, counted=here is not None),
        upsert=elsewhere,
        provenance=provenance,
        entry_path=_entry_path(spec),
        pushes=assignment.pushes,
        foldable=places(spec),
        conflict=None if strict is None else strict.reason,
        source=_source(spec, document_id, strict) if elsewhere else None,
        dropped=assignment.dropped,
    )


def _inputs(strict: _Strict | None) -> list[Mapping[str, Any]]:
    return [] if strict is None else [strict.filter]


def _entry_path(spec: AgentSpec) -> str | None:
    return origin.entry_path(spec.write.metadata_field, spec.id) if spec.write.include_metadata else None


def _strict(spec: AgentSpec, read: ReadState | None) -> _Strict | None:
    if spec.execution.consistency_mode is not ConsistencyMode.STRICT_POST_COMMIT:
        return None
    if read is None:
        if spec.target_namespace != spec.watch_namespace:
            return None  # a deleted document has no inputs that could change
        raise ValueError("strict_post_commit needs the document as it was read")
    whole = spec.execution.require_document_hash_match
    inputs = unchanged(read, hidden=hidden_roots(spec), whole=whole)
    conditions = [condition for condition in (inputs, dict(spec.watch.filter or {})) if condition]
    reason = "hash_conflict" if whole else "strict_version_conflict"
    return _Strict({"$and": conditions} if conditions else {}, reason)


def _repeat_guard(spec: AgentSpec, assignment: Assignment, provenance: Provenance) -> list[dict[str, Any]]:
    if spec.write.include_metadata:
        return [origin.fence(spec.write.metadata_field, provenance)]
    # Without an entry the pushed element itself must tell that it is there. Setting a field twice does no
    # harm.
    return [{path: {"$ne": element}} for path, element in assignment.pushes.items()]


def _filter(document_id: object, conditions: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    # `_id` stays at the top and no collation is given, so that the index on `_id` is used.
    filled = [condition for condition in conditions if condition]
    return {"_id": {"$eq": document_id}, **({"$and": filled} if filled else {})}


def _update(
    spec: AgentSpec, assignment: Assignment, provenance: Provenance, now: datetime, *, counted: bool
) -> dict[str, Any]:
    sets = dict(assignment.sets)
    if spec.write.include_metadata:
        sets.update(origin.updates(spec.write.metadata_field, provenance, now=now))
    parts: dict[str, Any] = {
        "$set": sets,
        "$unset": dict.fromkeys(assignment.unsets, ""),
        "$push": dict(assignment.pushes),
        "$inc": {VERSION_FIELD: 1} if counted else {},
    }
    return {operator: fields for operator, fields in parts.items() if fields}


def _source(spec: AgentSpec, document_id: object, strict: _Strict | None) -> Guard | None:
    if strict is None:
        return None
    database, collection = spec.watch_namespace
    return Guard(
        database=database,
        collection=collection,
        filter=_filter(document_id, [strict.filter]),
        update={"$inc": {VERSION_FIELD: 1}},
    )
