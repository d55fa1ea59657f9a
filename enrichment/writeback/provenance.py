"""What a document says about who enriched it: nine keys for readers, one entry per agent for MongoClaw.

The entry is the fence. It carries the run and its place in the order of events, so that a write can tell, in
its own filter, that it was done already or that something newer is there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bson.timestamp import Timestamp

from agents_app.spec import AgentSpec


@dataclass(frozen=True, slots=True)
class Provenance:
    """The run that writes.

    `as_of` is the cluster time at which the input was read; `claim` counts how often the run was
    claimed; `input_hash` is the fingerprint of the prompt; `hops` is how many agents in a row set each other
    off before this one. `cost_usd` is None where no price is known; `latency_ms` is in milliseconds.
    """

    execution_id: str
    agent_id: str
    version: int
    input_hash: str
    as_of: Timestamp
    claim: int
    model: str
    provider: str
    tokens: int
    cost_usd: float | None
    latency_ms: float
    hops: int = 0


@dataclass(frozen=True, slots=True)
class Trace:
    """What an agent's entry in a document says. Anything missing or of a wrong type is None or zero."""

    execution_id: str | None
    version: int
    input_hash: str | None
    as_of: Timestamp | None
    claim: int
    hops: int


def entry_path(metadata_field: str, agent_id: str) -> str:
    """Return the path of an agent's entry."""
    return f"{metadata_field}.agents.{agent_id}"


def read_provenance(document: Mapping[str, Any], spec: AgentSpec) -> Trace | None:
    """Return what `document` says about this agent's last write, or None if it says nothing."""
    return read_trace(document, entry_path(spec.write.metadata_field, spec.id))


def read_trace(document: Mapping[str, Any], path: str) -> Trace | None:
    """Return the entry at `path` of `document`, or None if there is none."""
    entry: Any = document
    for part in path.split("."):
        if not isinstance(entry, Mapping):
            return None
        entry = entry.get(part)
    if not isinstance(entry, Mapping):
        return None
    as_of = entry.get("as_of")
    return Trace(
        execution_id=_text(entry.get("execution_id")),
        version=_whole(entry.get("version")),
        input_hash=_text(entry.get("input_hash")),
        as_of=as_of if isinstance(as_of, Timestamp) else None,
        claim=_whole(entry.get("claim")),
        hops=_whole(entry.get("hops")),
    )


def updates(metadata_field: str, provenance: Provenance, *, now: datetime) -> dict[str, Any]:
    """Return the paths and values that record `provenance`, the time of the write being `now`.

    One path each, never the whole field: two agents on one document must not erase each other's entries.
    """
    facts = {
        "processed_at": now,
        "model": provenance.model,
        "provider": provenance.provider,
        "tokens": provenance.tokens,
        "cost_usd": provenance.cost_usd,
        "latency_ms": provenance.latency_ms,
    }
    shared = {
        "work_item_id": provenance.execution_id,
        "source_work_item_id": provenance.execution_id,
        "source_agent_id": provenance.agent_id,
        **facts,
    }
    paths: dict[str, Any] = {f"{metadata_field}.{key}": value for key, value in shared.items()}
    return {**paths, entry_path(metadata_field, provenance.agent_id): {**_order(provenance), **facts}}


def _order(provenance: Provenance) -> dict[str, Any]:
    return {
        "execution_id": provenance.execution_id,
        "version": provenance.version,
        "input_hash": provenance.input_hash,
        "as_of": provenance.as_of,
        "claim": provenance.claim,
        "hops": provenance.hops,
    }


def fence(metadata_field: str, provenance: Provenance) -> dict[str, Any]:
    """Return a filter: this run has not written for this input, and no run of this agent that read later has.

    A run whose first try wrote and was lost may find the document edited when it runs again: then its input
    is another and it writes again. Written as what must not be, so that an entry that is missing or damaged
    does not lock the document for ever.
    """
    path = entry_path(metadata_field, provenance.agent_id)
    return {
        "$nor": [
            {f"{path}.execution_id": provenance.execution_id, f"{path}.input_hash": provenance.input_hash},
            {f"{path}.as_of": {"$gt": provenance.as_of}},
            {f"{path}.as_of": provenance.as_of, f"{path}.claim": {"$gt": provenance.claim}},
        ]
    }


def is_own(trace: Trace, provenance: Provenance) -> bool:
    """Say if `trace` was left by the same run for the same input."""
    return (trace.execution_id, trace.input_hash) == (provenance.execution_id, provenance.input_hash)


def is_newer(trace: Trace, provenance: Provenance) -> bool:
    """Say if `trace` was left by a run that read later, or at the same time with a later claim."""
    if trace.as_of is None:
        return False
    return (trace.as_of, trace.claim) > (provenance.as_of, provenance.claim)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _whole(value: object) -> int:
    return int(value) if isinstance(value, int) and not isinstance(value, bool) else 0
