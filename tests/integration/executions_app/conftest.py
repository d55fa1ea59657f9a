"""An agent on record, and rows of it."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from bson import Timestamp

from agents_app.models import Agent
from agents_app.publish import publish
from agents_app.spec import parse_spec
from executions_app.ledger import NewExecution
from tests.events import new_event

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)

MakeEvent = Callable[..., NewExecution]


@pytest.fixture
def agent(transactional_db: None) -> Agent:
    """A published agent."""
    spec = {
        "id": "triage",
        "name": "Triage",
        "watch": {"database": "shop", "collection": "tickets"},
        "ai": {"provider": "sandbox", "model": "sandbox-1", "prompt": "Sort: {{ document.text }}"},
        "write": {"target_field": "ai"},
    }
    return publish(parse_spec(spec), by="tests", now=NOW).agent


@pytest.fixture
def make_event(agent: Agent) -> MakeEvent:
    """Make events of the agent; each has a token and a time of its own unless told otherwise."""
    numbers = itertools.count(1)

    def make(key: object = "doc", **changes: object) -> NewExecution:
        number = next(numbers)
        own = {"key": key, "operation": "update", "event_time": Timestamp(number, 1)}
        version_id = agent.current_version_id
        of_agent: dict[str, Any] = {"agent_id": agent.pk, "version_id": version_id}
        return new_event(number, **{**of_agent, **own, **changes})

    return make
