"""Whatever the text: a specification, or problems with places; never anything else."""

from __future__ import annotations

import json
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from agents_app.errors import SpecInvalid
from agents_app.spec import SECTIONS, AgentSpec, content_hash, dump_json, dump_yaml, load_spec, parse_spec
from agents_app.spec.names import RESERVED_IDS

_VALID: dict[str, Any] = {
    "id": "triage",
    "name": "Triage",
    "watch": {"database": "shop", "collection": "tickets", "filter": {"a": {"$gte": 1}}},
    "ai": {
        "prompt": "Sort: {{ document.text }}",
        "response_schema": {"properties": {"a": {"type": "string"}}},
    },
    "write": {"strategy": "merge", "fields": {"a": "b.c"}},
    "execution": {"max_retries": 2, "timeout_ms": 3},
    "policy": {"condition": "result.a == 1", "action": "tag"},
    "tags": ["a"],
    "metadata": {},
}

_scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.datetimes()
_keys = st.sampled_from(
    [*AgentSpec.model_fields, *(key for s in SECTIONS.values() for key in s.model_fields)]
)
_values = st.recursive(
    _scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(_keys | st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=8,
)


@st.composite
def _mutated(draw: st.DrawFn) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(json.dumps(_VALID))
    for _ in range(draw(st.integers(1, 4))):
        section = draw(st.sampled_from(["", *SECTIONS]))
        place = data if not section else data.get(section)
        if not isinstance(place, dict):
            continue
        key = draw(st.sampled_from(sorted(place)) | _keys | st.text(max_size=8)) if place else draw(_keys)
        place[key] = draw(_values)
    return data


def _check(load: Any, value: Any) -> None:
    try:
        parsed = load(value)
    except SpecInvalid as error:
        _check_problems(error)
    else:
        assert load_spec(dump_yaml(parsed.spec)).spec == parsed.spec
        assert load_spec(json.dumps(dump_json(parsed.spec))).spec == parsed.spec


def _check_problems(error: SpecInvalid) -> None:
    assert error.errors
    for problem in error.errors:
        assert 0 < len(problem.message) < 400
        assert "\n" not in problem.message
        assert "Input should" not in problem.message
        assert "pydantic" not in problem.message


@given(st.text())
@settings(deadline=None)
def test_any_text_is_a_specification_or_invalid(text: str) -> None:
    _check(load_spec, text)


@given(st.text(alphabet="{}[]:,-&*!|>'\"%@`#?\n\t a1.~<=\\", max_size=60))
@settings(deadline=None, max_examples=300)
def test_any_text_of_signs_is_a_specification_or_invalid(text: str) -> None:
    _check(load_spec, text)


@given(st.text(alphabet='{}[]:,"\\ntu0e-1. \n', max_size=40))
@settings(deadline=None, max_examples=200)
def test_any_text_that_starts_like_json_is_a_specification_or_invalid(text: str) -> None:
    _check(load_spec, '{"' + text)


@given(_mutated())
@settings(deadline=None, max_examples=300)
def test_any_change_to_a_mapping_is_a_specification_or_invalid(data: dict[str, Any]) -> None:
    _check(parse_spec, data)


@given(_mutated())
@settings(deadline=None, max_examples=150)
def test_any_change_to_yaml_is_a_specification_or_invalid(data: dict[str, Any]) -> None:
    _check(load_spec, yaml.safe_dump(data, allow_unicode=True))


@given(st.data(), st.text(max_size=12))
@settings(deadline=None)
def test_any_piece_put_into_a_good_text_is_a_specification_or_invalid(
    data: st.DataObject, piece: str
) -> None:
    good = yaml.safe_dump(_VALID)
    place = data.draw(st.integers(0, len(good)))
    cut = data.draw(st.integers(0, 20))
    _check(load_spec, good[:place] + piece + good[place + cut :])


_storable = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=30)
_filled = _storable.filter(lambda text: text.strip() != "")
_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63) + 1, 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | _storable,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_storable, inner, max_size=3),
    max_leaves=10,
)
_specs = st.fixed_dictionaries(
    {
        "id": st.from_regex(r"[a-z0-9]([a-z0-9_-]{0,10}[a-z0-9])?", fullmatch=True).filter(
            lambda agent_id: agent_id not in RESERVED_IDS
        ),
        "name": _filled,
        "watch": st.fixed_dictionaries(
            {"database": st.just("shop"), "collection": st.just("a.b")},
            optional={"operations": st.lists(st.sampled_from(["insert", "update", "delete"]), min_size=1)},
        ),
        "ai": st.fixed_dictionaries(
            {"prompt": _filled},
            optional={
                "system_prompt": _storable,
                "temperature": st.floats(0, 2),
                "max_tokens": st.integers(1, 10_000),
                "model": _filled,
            },
        ),
        "write": st.just({"target_field": "ai"}),
    },
    optional={
        "description": _storable,
        "tags": st.lists(_filled),
        "metadata": st.dictionaries(_storable, _json),
    },
)


@given(_specs)
@settings(deadline=None, max_examples=300)
def test_a_specification_survives_writing_and_reading(data: dict[str, Any]) -> None:
    spec = parse_spec(data).spec
    for again in (load_spec(dump_yaml(spec)).spec, load_spec(json.dumps(dump_json(spec))).spec):
        assert again == spec
        assert content_hash(again) == content_hash(spec)
        assert dump_yaml(again) == dump_yaml(spec)
