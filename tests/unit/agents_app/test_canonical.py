"""Written forms and hashes."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

import pytest

from agents_app.spec import AgentSpec, behaviour_hash, content_hash, declared, dump_json, dump_yaml, load_spec

Data = Callable[..., dict[str, Any]]
Spec = Callable[..., AgentSpec]

# Pinned: a change means that every deployed agent gets a new version with the next publication.
HASH_OF_THE_SMALLEST = "3b714c936447499f8b83fb88f8b4500d600bdb8822f995b5dd0fb83e0ea9620f"


def _shuffled(value: Any, chance: random.Random) -> Any:
    if not isinstance(value, dict):
        return value
    items = [(key, _shuffled(item, chance)) for key, item in value.items()]
    chance.shuffle(items)
    return dict(items)


@pytest.mark.parametrize("seed", range(5))
def test_the_hash_does_not_depend_on_the_order_of_keys(data: Data, seed: int) -> None:
    source = data(metadata={"a": 1, "b": {"c": 1, "d": 2}}, watch__filter={"x": 1, "y": {"$gt": 1, "$lt": 5}})
    first = load_spec(json.dumps(source)).spec
    again = load_spec(json.dumps(_shuffled(source, random.Random(seed)))).spec
    assert content_hash(again) == content_hash(first)


def test_the_hash_of_the_smallest_agent_is_the_same_for_ever(spec: Spec) -> None:
    assert content_hash(spec()) == HASH_OF_THE_SMALLEST


def test_the_order_of_operations_does_not_count(spec: Spec) -> None:
    one, other = spec(watch__operations=["insert", "delete"]), spec(watch__operations=["delete", "insert"])
    assert content_hash(one) == content_hash(other)


@pytest.mark.parametrize(
    "managed", [{"enabled": False}, {"version": 9}, {"created_at": "2026-01-01T00:00:00Z"}]
)
def test_what_the_server_manages_does_not_count(spec: Spec, managed: Any) -> None:
    assert content_hash(spec(**managed)) == content_hash(spec())


def test_a_default_in_full_is_the_same_as_none(spec: Spec) -> None:
    assert content_hash(spec(ai__temperature=0.7, execution__max_retries=3)) == content_hash(spec())


@pytest.mark.parametrize(
    "change",
    [
        {"name": "Other"},
        {"tags": ["a"]},
        {"ai__temperature": 0},
        {"ai__prompt": "other"},
        {"watch__filter": {"a": 1}},
        {"write__target_field": "other"},
        {"execution__coalesce": False},
        {"policy": {}},
        {"metadata": {"a": None}},
    ],
)
def test_everything_that_is_declared_counts(spec: Spec, change: Any) -> None:
    assert content_hash(spec(**change)) != content_hash(spec())


@pytest.mark.parametrize(
    "change", [{"name": "Other"}, {"tags": ["a"]}, {"execution__priority": 3}, {"watch__filter": {"a": 1}}]
)
def test_the_behaviour_stays_the_same_under_a_new_name_or_limit(spec: Spec, change: Any) -> None:
    assert behaviour_hash(spec(**change)) == behaviour_hash(spec())


@pytest.mark.parametrize(
    "change", [{"ai__prompt": "other"}, {"write__target_field": "b"}, {"policy": {"condition": "1 == 1"}}]
)
def test_the_behaviour_differs_with_the_prompt_the_place_and_the_policy(spec: Spec, change: Any) -> None:
    assert behaviour_hash(spec(**change)) != behaviour_hash(spec())


def test_the_json_form_has_every_field_of_the_contract_nulls_included(spec: Spec) -> None:
    written = dump_json(spec())
    assert list(written) == [
        "id", "name", "description", "watch", "ai", "write", "execution", "policy", "enabled", "tags",
        "metadata", "version", "created_at", "updated_at",
    ]  # fmt: skip
    assert written["policy"] is None
    assert written["write"]["fields"] is None
    assert json.loads(json.dumps(written, allow_nan=False)) == written


def test_what_is_declared_leaves_out_what_the_server_manages(spec: Spec) -> None:
    assert not {"enabled", "version", "created_at", "updated_at"} & declared(spec()).keys()


def test_a_prompt_of_several_lines_stays_readable_in_yaml(spec: Spec) -> None:
    written = dump_yaml(spec(ai__prompt="Sort this:\n\n  {{ document.text }}\n"))
    assert "prompt: |\n    Sort this:\n\n      {{ document.text }}\n" in written


def test_repeated_values_are_written_out(spec: Spec) -> None:
    shared = {"type": "string"}
    written = dump_yaml(
        spec(ai__response_schema={"type": "object", "properties": {"a": shared, "b": shared}})
    )
    assert "&id" not in written
