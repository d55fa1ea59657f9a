from __future__ import annotations

from typing import Any

import pytest

from agents_app.errors import SpecInvalid
from agents_app.merge import merged
from agents_app.spec import parse_spec

SPEC = parse_spec(
    {
        "id": "triage",
        "name": "Triage",
        "description": "sorts",
        "watch": {"database": "shop", "collection": "tickets", "filter": {"a": 1, "b": 2}},
        "ai": {"provider": "sandbox", "model": "sandbox-1", "prompt": "Sort", "temperature": 0.2},
        "write": {"target_field": "ai"},
        "policy": {"condition": "result.a > 1", "action": "block"},
        "tags": ["a"],
        "metadata": {"team": "blue"},
    }
).spec


def after(**changes: Any) -> Any:
    return parse_spec(merged(SPEC, changes).data).spec


def test_objects_are_merged_one_level_deep_and_what_is_in_them_is_replaced() -> None:
    spec = after(watch={"filter": {"c": 3}}, metadata={"cost": "x"}, tags=["b"])

    assert (spec.watch.database, spec.watch.filter) == ("shop", {"c": 3})
    assert spec.metadata == {"team": "blue", "cost": "x"}
    assert spec.tags == ("b",)


def test_null_clears() -> None:
    spec = after(description=None, policy=None, tags=None, metadata={"team": None}, watch={"filter": None})

    assert (spec.description, spec.policy, spec.tags, spec.metadata) == (None, None, (), {})
    assert spec.watch.filter is None
    assert after(ai={"temperature": None}).ai.temperature == 0.7
    assert after(write=None, ai={"response_schema": {"properties": {"a": {}}}}).write.target_field is None


def test_null_leaves_alone_what_cannot_be_empty() -> None:
    spec = after(name=None, watch=None, ai=None, enabled=None)

    assert (spec.name, spec.watch, spec.ai) == (SPEC.name, SPEC.watch, SPEC.ai)
    assert "enabled" not in spec.model_fields_set


def test_a_required_value_inside_an_object_cannot_be_cleared() -> None:
    with pytest.raises(SpecInvalid) as raised:
        after(ai={"prompt": None})
    assert [problem.path for problem in raised.value.errors] == ["ai.prompt"]


def test_old_names_replace_today_s_values_with_a_warning() -> None:
    change = merged(SPEC, {"execution": {"timeout_ms": 5000}})

    assert parse_spec(change.data).spec.execution.timeout_seconds == 5
    assert len(change.warnings) == 1
    with pytest.raises(SpecInvalid):
        merged(SPEC, {"execution": {"timeout_ms": 5000, "timeout_seconds": 5}})


def test_what_the_server_manages_is_ignored_but_another_id_is_refused() -> None:
    assert after(id="triage", version=9, created_at="x", updated_at=None) == after()
    with pytest.raises(SpecInvalid) as raised:
        merged(SPEC, {"id": "other"})
    assert [problem.path for problem in raised.value.errors] == ["id"]
