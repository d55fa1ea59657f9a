"""Runs of one agent, in this process, on real servers and the sandbox model."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from bson import Timestamp
from pymongo import MongoClient
from pymongo.database import Database

from agents_app import registry
from agents_app.publish import publish
from agents_app.spec import parse_spec
from enrichment.providers import ProviderConfig
from executions_app import ledger, transitions
from executions_app.limits import Limiter
from executions_app.limits.limiter import Budget, connect
from executions_app.models import Attempt, Execution
from sandbox.model.client import ModelControl
from tasks import compiled
from tasks.enrich import run_execution
from tasks.gate import Gate
from tasks.runtime import Runtime
from tests.events import new_event

Document = dict[str, Any]

SCHEMA: Document = {
    "type": "object",
    "properties": {"category": {"type": "string", "enum": ["billing", "bug"]}, "score": {"type": "integer"}},
    "required": ["category", "score"],
    "additionalProperties": False,
}


@dataclass
class Bench:
    """An agent, its documents, and the means to run it once."""

    runtime: Runtime
    db: Database[Document]
    model: ModelControl
    limiter: Limiter
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def publish(self, **changes: Any) -> None:
        """Publish an agent on the test's `tickets`; a mapping changes parts of its section."""
        spec: Document = {
            "id": "triage",
            "name": "Triage",
            "watch": {"database": self.db.name, "collection": "tickets"},
            "ai": {
                "provider": "sandbox",
                "model": "sandbox-1",
                "prompt": "Sort: {{ document.text }}",
                "response_schema": SCHEMA,
            },
            "write": {"target_field": "ai"},
            "execution": {"max_retries": 2, "retry_delay_seconds": 0.001, "retry_max_delay_seconds": 0.001},
        }
        for key, value in changes.items():
            spec[key] = {**spec.get(key, {}), **value} if isinstance(value, dict) else value
        publish(parse_spec(spec), by="tests", now=datetime.now(UTC))
        registry.forget()

    def insert(self, key: object = 1, **fields: Any) -> object:
        """Insert a ticket."""
        return self.db.tickets.insert_one({"_id": key, "text": "The invoice is wrong", **fields}).inserted_id

    def event(self, key: object = 1, *, operation: str = "insert", cascade: bool = False) -> str:
        """Put an event of the document on record, ready to be claimed; returns the row's id."""
        [agent] = [agent for agent in registry.active_agents() if agent.agent_id == "triage"]
        now = datetime.now(UTC)
        number = next(self.numbers)
        event = new_event(
            number,
            agent_id="triage",
            version_id=agent.version_id,
            database=self.db.name,
            key=key,
            operation=operation,
            cascade=cascade,
            event_time=Timestamp(1_700_000_000 + number, 1),
        )
        [id_] = ledger.record([event], room={"triage": 10}, now=now)
        return id_

    def run(self, key: object = 1, **event: Any) -> Execution:
        """Run one event of the document once; returns the row as it stands then."""
        id_ = self.event(key, **event)
        run_execution(self.runtime, id_)
        return Execution.objects.get(id=id_)

    def run_again(self, row: Execution) -> Execution:
        """Run a postponed row once more."""
        transitions.enqueue([row.id], now=datetime.now(UTC))
        run_execution(self.runtime, row.id)
        return Execution.objects.get(id=row.id)

    def run_to_the_end(self, row: Execution, *, most: int = 10) -> Execution:
        """Run a row until it is at its end."""
        for _ in range(most):
            if row.status != "pending":
                return row
            row = self.run_again(row)
        raise AssertionError(f"still {row.status} ({row.reason}) after {most} runs")

    def document(self, key: object = 1) -> Document:
        """Read a ticket."""
        return self.db.tickets.find_one({"_id": key}) or {}

    def lift_pauses(self) -> None:
        """End what holds calls up, as time would."""
        for name in self.limiter.pauses().found:
            self.limiter.lift(name)
        self.runtime.gate.look()

    def outcomes(self) -> list[str]:
        """Name what became of each call, in order."""
        return list(Attempt.objects.order_by("id").values_list("outcome", flat=True))


@pytest.fixture
def bench(
    transactional_db: None,
    mongo: MongoClient[Document],
    mongo_db: Database[Document],
    sandbox_model: ModelControl,
    redis_url: str,
) -> Iterator[Bench]:
    """A bench with an empty ledger; no agent is published yet."""
    redis = connect(redis_url)
    limiter = Limiter(redis, lease_seconds=6.0, monotonic=time.monotonic)
    gate = Gate(limiter, Budget(20, 60.0, 30.0), lease_seconds=6.0, monotonic=time.monotonic)
    runtime = Runtime(
        worker_id="w" * 32,
        mongo=mongo,
        providers=ProviderConfig(sandbox_url=sandbox_model.url, request_timeout=5.0, pool_size=4),
        gate=gate,
        stopping=threading.Event(),
        monotonic=time.monotonic,
    )
    compiled.forget()
    yield Bench(runtime, mongo_db, sandbox_model, limiter)
    compiled.forget()
    redis.close()
