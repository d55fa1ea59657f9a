"""Agents on record, and what they are published from."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from agents_app.spec import ParsedSpec, parse_spec

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
