"""What the tests of the write-back share: agents, runs, and one write from plan to outcome."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from bson.timestamp import Timestamp
from pymongo import MongoClient
from pymongo.database import Database

from agents_app.spec import AgentSpec, parse_spec
from enrichment.writeback import Provenance, ReadState, WriteResult, apply_write, plan_write

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
SCHEMA = {
    "type": "object",
    "properties": {"category": {"type": "string"}, "score": {"type": "number"}},
    "required": ["category"],
}

MakeSpec = Callable[..., AgentSpec]
Write = Callable[..., WriteResult]


@pytest.fixture
def make_spec(mongo_db: Database[dict[str, Any]]) -> MakeSpec:
    """An agent on the collection `tickets` of this test's database; `write=…` and others override."""

    def make(agent_id: str = "triage", **sections: Any) -> AgentSpec:
        watch = {"database": mongo_db.name, "collection": "tickets", **sections.pop("watch", {})}
        ai = {"prompt": "{{ document.text }}", "response_schema": SCHEMA, **sections.pop("ai", {})}
        return parse_spec({"id": agent_id, "name": agent_id, "watch": watch, "ai": ai, **sections}).spec

    return make


@pytest.fixture
def run() -> Callable[..., Provenance]:
    """The provenance of a run: `event` orders runs, `claim` the attempts of one."""

    def make(
        execution_id: str = "run-1", *, agent_id: str = "triage", event: int = 100, claim: int = 1
    ) -> Provenance:
        return Provenance(
            execution_id=execution_id,
            agent_id=agent_id,
            version=3,
            input_hash="0" * 32,
            as_of=Timestamp(event, 1),
            claim=claim,
            model="gpt-4o-mini",
            provider="sandbox",
            tokens=42,
            cost_usd=0.000_013_5,
            latency_ms=12.5,
        )

    return make


@pytest.fixture
def write(mongo: MongoClient[dict[str, Any]], run: Callable[..., Provenance]) -> Write:
    """Plan and apply one write."""

    def do(
        spec: AgentSpec,
        document_id: object,
        result: Mapping[str, Any],
        provenance: Provenance | None = None,
        read: ReadState | None = None,
        **options: Any,
    ) -> WriteResult:
        provenance = provenance or run(agent_id=spec.id)
        return apply_write(mongo, plan_write(spec, document_id, result, provenance, read, NOW, **options))

    return do
