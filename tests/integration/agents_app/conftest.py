"""Agents on record, and what they are published from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from agents_app import registry
from agents_app.models import Agent, AgentVersion
from agents_app.publish import publish
from agents_app.spec import ParsedSpec, declared, parse_spec

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)

MakeSpec = Callable[..., ParsedSpec]


@pytest.fixture
def make_spec() -> MakeSpec:
    """Make a specification; keyword arguments replace its top-level keys, `prompt` its prompt."""

    def make(prompt: str = "Sort: {{ document.text }}", **changes: Any) -> ParsedSpec:
        data = {
            "id": "triage",
            "name": "Triage",
            "watch": {"database": "shop", "collection": "tickets"},
            "ai": {"provider": "sandbox", "model": "sandbox-1", "prompt": prompt},
            "write": {"target_field": "ai"},
        }
        return parse_spec({**data, **changes})

    return make


@pytest.fixture
def unreadable(db: None, make_spec: MakeSpec) -> Iterator[Agent]:
    """An agent whose current version names a key that this release does not know."""
    agent = publish(make_spec(id="future", name="Future"), by="ada", now=NOW).agent
    said = {**declared(make_spec(id="future").spec), "soul": 1}
    foreign = AgentVersion.objects.create(
        agent=agent, number=2, content_hash="x", spec=said, published_by="x", created_at=NOW
    )
    Agent.objects.filter(pk="future").update(current_version=foreign)
    yield Agent.objects.get(pk="future")
    registry.forget()
