"""An agent on record, and a watcher's backfilling that is stepped by the test."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.database import Database

from agents_app.publish import publish
from agents_app.spec import parse_spec
from executions_app import fence
from executions_app.fence import Term
from executions_app.models import Backfill
from tests.conditions import eventually
from watcher.backfill.keeper import Backfilling

Document = dict[str, Any]
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
TERM = Term("backfill", 1)

Publish = Callable[..., str]
Finish = Callable[[Backfill], Backfill]


@pytest.fixture
def publish_agent(transactional_db: None, mongo_db: Database[Document]) -> Publish:
    """Publish an agent on the test's tickets; sections may be changed in part. Returns its id."""

    def made(agent_id: str = "triage", **changes: Any) -> str:
        spec: Document = {
            "id": agent_id,
            "name": agent_id,
            "watch": {"database": mongo_db.name, "collection": "tickets"},
            "ai": {"provider": "sandbox", "model": "sandbox-1", "prompt": "Sort: {{ document.text }}"},
            "write": {"target_field": "ai"},
        }
        for key, value in changes.items():
            spec[key] = {**spec.get(key, {}), **value} if isinstance(value, dict) else value
        return publish(parse_spec(spec), by="tests", now=NOW).agent.pk

    return made


@pytest.fixture
def backfilling(transactional_db: None, mongo: MongoClient[Document]) -> Iterator[Backfilling]:
    """A watcher's part that does backfills; it leads."""
    fence.begin(TERM)
    made = Backfilling(mongo, now=lambda: datetime.now(UTC), monotonic=time.monotonic)
    yield made
    made.stop()


@pytest.fixture
def finish(backfilling: Backfilling) -> Finish:
    """Step until a backfill is at its end."""

    def finished(backfill: Backfill) -> Backfill:
        def at_end() -> bool:
            backfilling.step(TERM)
            backfill.refresh_from_db()
            return backfill.status in {"completed", "failed", "cancelled"}

        eventually(at_end, seconds=30, every=0.02)
        return backfill

    return finished
