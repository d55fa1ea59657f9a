"""Agents and events as the watcher meets them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from bson import Timestamp

from agents_app.registry import ActiveAgent
from agents_app.spec import parse_spec
from sandbox.embedded import start_mongod
from sandbox.embedded.server import RunningServer
from sandbox.errors import BinaryMissing
from watcher.reading.event import ChangeEvent

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)

MakeAgent = Callable[..., ActiveAgent]
MakeEvent = Callable[..., ChangeEvent]


@pytest.fixture
def make_agent(mongo_db: Any) -> MakeAgent:
    """Make an agent of the test's database; the second argument overrides parts of `watch`."""

    def make(agent_id: str = "triage", **changes: Any) -> ActiveAgent:
        watch = {"database": mongo_db.name, "collection": "tickets", **changes.pop("watch", {})}
        spec = {
            "id": agent_id,
            "name": agent_id,
            "watch": watch,
            "ai": {"provider": "sandbox", "model": "sandbox-1", "prompt": "Sort: {{ document.text }}"},
            "write": {"target_field": agent_id.replace("-", "_")},
            **changes,
        }
        return ActiveAgent(
            agent_id=agent_id,
            version_id=1,
            spec=parse_spec(spec).spec,
            enabled_at=LONG_AGO,
            current_since=LONG_AGO,
        )

    return make


@pytest.fixture
def make_change(mongo_db: Any) -> MakeEvent:
    """Make a change event of the test's database."""

    def make(key: object, operation: str = "insert", **changes: Any) -> ChangeEvent:
        values: dict[str, Any] = {
            "token": "82",
            "operation": operation,
            "database": mongo_db.name,
            "collection": "tickets",
            "key": key,
            "cluster_time": Timestamp(int(LONG_AGO.timestamp()) + 1000, 1),
            "changed": frozenset({"text"}) if operation == "update" else None,
            "written_by": None,
            **changes,
        }
        return ChangeEvent(**values)

    return make


@pytest.fixture
def own_mongod(tmp_path: Path) -> Iterator[RunningServer]:
    """A server of the test's own, to be frozen."""
    try:
        server = start_mongod(tmp_path / "mongod")
    except BinaryMissing as missing:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(missing))
    try:
        yield server
    finally:
        server.kill()
