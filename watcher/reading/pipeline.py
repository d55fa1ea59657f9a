"""What the server filters and strips before an event leaves it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from hashlib import sha256
from typing import Any, Final

from agents_app.registry import ActiveAgent
from watcher.unit import Unit

Stage = dict[str, Any]


def build_pipeline(
    agents: Iterable[ActiveAgent], *, unit: Unit | None = None, slim: bool = False
) -> list[Stage]:
    """Build the pipeline of one unit's stream for these agents; without a unit, for all of their database.

    `$match` names collections with `ns.coll $in`: over ten times faster than matching whole namespaces
    (powersync-service#417). It looks at nothing of the document, so every event can be resumed from. `$project`
    leaves references: names of changed fields without their values, and no body. A slim pipeline leaves out
    even the names, for an event that is too large with them: who made a change is then not known.
    """
    listed = list(agents)
    metadata = sorted(
        {agent.spec.write.metadata_field for agent in listed if agent.spec.write.include_metadata}
    )
    projection = _REFERENCE if slim else {**_REFERENCE, **_authorship(metadata)}
    return [{"$match": _match(listed, unit)}, {"$project": projection}]


def _match(agents: list[ActiveAgent], unit: Unit | None) -> Stage:
    """Match changes of documents, and of their collections: those have no key, and are read by one part alone."""
    collections = {"$in": sorted({agent.spec.watch.collection for agent in agents})}
    operations = sorted({str(op) for agent in agents for op in agent.spec.watch.operations})
    documents: Stage = {"ns.coll": collections, "operationType": {"$in": operations}}
    if unit is not None and unit.of > 1:
        documents["$expr"] = {"$eq": [_part_of_key(unit.of), unit.part]}
        if unit.part > 0:
            return documents
    return {
        "$or": [
            documents,
            {"ns.coll": collections, "operationType": {"$in": ["drop", "rename"]}},
            {"to.coll": collections, "operationType": "rename"},
            {"operationType": "dropDatabase"},
        ]
    }


def _part_of_key(parts: int) -> Stage:
    """Numbers that are the same `_id` to the server hash alike, whatever their type."""
    return {"$abs": {"$mod": [{"$toHashedIndexKey": "$documentKey._id"}, parts]}}


_REFERENCE: Final[Stage] = {
    "operationType": 1,
    "ns": 1,
    "to": 1,
    "documentKey": {"_id": 1},
    "clusterTime": 1,
    "wallTime": 1,
}


def _authorship(metadata: list[str]) -> Stage:
    authors = [f"$fullDocument.{field}.source_agent_id" for field in metadata]
    return {
        "changed": {"$cond": [{"$eq": ["$operationType", "update"]}, _changed_names(), "$$REMOVE"]},
        "written_by": {"$ifNull": [*authors, "$$REMOVE"]} if authors else "$$REMOVE",
    }


def _changed_names() -> Stage:
    updated = {"$objectToArray": {"$ifNull": ["$updateDescription.updatedFields", {}]}}
    truncated = {"$ifNull": ["$updateDescription.truncatedArrays", []]}
    return {
        "$concatArrays": [
            {"$map": {"input": updated, "in": "$$this.k"}},
            {"$ifNull": ["$updateDescription.removedFields", []]},
            {"$map": {"input": truncated, "in": "$$this.field"}},
        ]
    }


def fingerprint_of(pipeline: list[Stage]) -> str:
    """Name a pipeline: event tokens are only good for the pipeline that they came from."""
    return sha256(json.dumps(pipeline, sort_keys=True).encode()).hexdigest()[:16]
