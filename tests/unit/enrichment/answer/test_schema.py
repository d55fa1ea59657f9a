from __future__ import annotations

import time
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents_app.errors import Decision
from enrichment.answer import AnswerInvalid, SchemaInvalid, compile_schema


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


@pytest.mark.parametrize(
    ("schema", "path", "message"),
    [
        ({"type": "objct"}, "ai.response_schema.type", "object"),
        ({"type": "array", "items": {}}, "ai.response_schema.type", 'must be "object"'),
        (_object(a={"minimum": "x"}), "ai.response_schema.properties.a.minimum", "must be number"),
        (_object(a={"$ref": "https://x.test/y"}), "ai.response_schema.properties.a", "is not local"),
        (_object(a={"$ref": "file:///etc/passwd"}), "ai.response_schema.properties.a", "is not local"),
        (_object(a={"$ref": "#/$defs/b"}), "ai.response_schema.properties.a", "points at nothing"),
        ({"$ref": "#"}, "ai.response_schema", "without end"),
        (
            _object(a={"$ref": "#/$defs/b"}) | {"$defs": {"b": {"anyOf": [{"$ref": "#/$defs/b"}]}}},
            "ai.response_schema",
            "without end",
        ),
        (_object(a={"pattern": "("}), "ai.response_schema.properties.a", "not a regular expression"),
        (_object(a={"pattern": "a" * 1001}), "ai.response_schema.properties.a", "at most 1,000"),
        (
            {"type": "object", "patternProperties": {"(": {}}},
            "ai.response_schema",
            "not a regular expression",
        ),
        (_object(**{"a.b": {}}), "ai.response_schema", "holds a dot"),
        (_object(**{"$a": {}}), "ai.response_schema", "starts with $"),
        (_object() | {"$dynamicRef": "#a"}, "ai.response_schema", "is not supported"),
        (_object() | {"$id": "https://x.test/"}, "ai.response_schema", "is not supported"),
    ],
)
def test_an_unusable_schema_is_refused_with_its_path(schema: Any, path: str, message: str) -> None:
    with pytest.raises(SchemaInvalid) as caught:
        compile_schema(schema)

    assert caught.value.decision is Decision.PERMANENT
    assert [(error.path, message in error.message) for error in caught.value.errors] == [(path, True)]


def test_all_problems_are_reported_at_once() -> None:
    with pytest.raises(SchemaInvalid) as caught:
        compile_schema(_object(a={"$ref": "#/x"}, b={"pattern": "["}))

    assert len(caught.value.errors) == 2


def test_a_schema_that_is_no_json_or_too_deep_is_refused() -> None:
    deep: dict[str, Any] = {}
    for _ in range(70):
        deep = {"not": deep}

    for schema in (_object(a={"const": object()}), _object(a={"const": float("nan")}), deep):
        with pytest.raises(SchemaInvalid):
            compile_schema(schema)


def test_a_frozen_schema_is_as_good_as_any() -> None:
    schema = MappingProxyType({"type": "object", "properties": MappingProxyType({"a": {"type": "integer"}})})

    assert compile_schema(schema).parse('{"a": 1}').value == {"a": 1}


def test_data_inside_a_schema_is_not_taken_for_a_schema() -> None:
    compile_schema(_object(a={"enum": [{"$ref": "https://x.test/"}], "default": {"pattern": "("}}))


def test_the_strict_form_requires_every_field_and_allows_null_for_optional_ones() -> None:
    schema = _object(
        a={"type": "string", "maxLength": 5, "description": "Name"},
        b={"type": "integer"},
        c={"enum": ["x", "y"]},
        d={"$ref": "#/$defs/d"},
        e={"type": "array", "items": _object(f={"type": ["string", "null"]})},
    ) | {"required": ["b"], "$defs": {"d": {"oneOf": [{"type": "string"}, {"type": "null"}]}}}

    assert compile_schema(schema).provider_schema == {
        "type": "object",
        "$defs": {"d": {"anyOf": [{"type": "string"}, {"type": "null"}]}},
        "properties": {
            "a": {"type": ["string", "null"], "description": "Name (maxLength 5)"},
            "b": {"type": "integer"},
            "c": {"type": ["string", "null"], "enum": ["x", "y", None]},
            "d": {"anyOf": [{"$ref": "#/$defs/d"}, {"type": "null"}]},
            "e": {
                "type": ["array", "null"],
                "items": {
                    "type": "object",
                    "properties": {"f": {"type": ["string", "null"]}},
                    "required": ["f"],
                    "additionalProperties": False,
                },
            },
        },
        "required": ["a", "b", "c", "d", "e"],
        "additionalProperties": False,
    }


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object"},
        _object(a={}),
        _object(a={"type": "array"}),
        _object(a={"type": "object"}),
        _object(a={"not": {"type": "string"}}),
        _object(a={"type": "string"}) | {"additionalProperties": True},
        _object(a={"type": "string"}) | {"required": ["z"]},
        _object(a={"type": "string"}) | {"allOf": [{"required": ["a"]}, {}]},
        {"anyOf": [_object(a={"type": "string"})]},
    ],
)
def test_what_the_strict_form_cannot_express_has_none_and_a_warning(schema: dict[str, Any]) -> None:
    contract = compile_schema(schema)

    assert contract.provider_schema is None
    assert "checked afterwards" in contract.warnings[-1]


def test_null_from_strict_decoding_is_dropped_everywhere_it_may_not_stand() -> None:
    schema = _object(
        rows={"type": "array", "items": {"$ref": "#/$defs/row"}}, note={"type": ["string", "null"]}
    ) | {"$defs": {"row": _object(kind={"type": "string", "enum": ["A"]}, size={"type": "integer"})}}

    answer = compile_schema(schema).parse('{"rows": [{"kind": "a", "size": null}], "note": null}')

    assert answer.value == {"rows": [{"kind": "A"}], "note": None}
    assert answer.fixes == ("enum_case", "null_dropped")


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("date", "2026-02-28", "2026-02-30"),
        ("date-time", "2026-02-28T10:00:00.123456789Z", "2026-02-28 10 o'clock"),
        ("time", "10:00:00+02:00", "25:00:00Z"),
        ("email", "a@b.example", "a b@c"),
        ("ipv4", "10.0.0.1", "10.0.0.256"),
        ("ipv6", "::1", "::1::"),
        ("uri", "https://x.test/a?b", "not a uri"),
        ("uuid", "12345678-1234-5678-1234-567812345678", "12345678"),
    ],
)
def test_formats_are_enforced(name: str, good: str, bad: str) -> None:
    contract = compile_schema(_object(a={"type": "string", "format": name}))

    assert contract.parse(f'{{"a": "{good}"}}').value == {"a": good}
    with pytest.raises(AnswerInvalid, match="must be a valid"):
        contract.parse(f'{{"a": "{bad}"}}')


def test_an_unknown_format_and_an_old_dialect_are_warned_about() -> None:
    schema = _object(a={"type": "string", "format": "iban"}) | {
        "$schema": "http://json-schema.org/draft-07/schema#"
    }

    warnings = compile_schema(schema).warnings

    assert any("'iban' is not checked" in warning for warning in warnings)
    assert any("draft-07" in warning for warning in warnings)


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        (_object(a={"pattern": "^(a|a)*$"}), '{"a": "' + "a" * 40 + '!"}'),
        (_object(a={"pattern": "^(a|aa)+$"}), '{"a": "' + "a" * 90 + '!"}'),
        (_object(a={"items": {"pattern": "^(a|a)*$"}}), '{"a": [' + ('"' + "a" * 40 + '!",') * 500 + '""]}'),
        (
            {"type": "object", "patternProperties": {"^(a|a)*$": {}}, "additionalProperties": False},
            '{"' + "a" * 40 + '!": 1}',
        ),
        (_object(a={"pattern": "x$"}), '{"a": "' + "x" * 200_000 + '"}'),
        (
            {"$defs": {"n": {"oneOf": [_object(c={"$ref": "#/$defs/n"}) | {"required": [k]} for k in "ab"]}}}
            | _object(r={"$ref": "#/$defs/n"}),
            '{"r":' + '{"c":' * 60 + "{}" + "}" * 61,
        ),
    ],
)
def test_validation_made_to_be_slow_is_refused_in_bounded_time(schema: dict[str, Any], text: str) -> None:
    contract = compile_schema(schema)
    started = time.thread_time()

    with pytest.raises(AnswerInvalid, match=r"too long|patterns are tried|not match"):
        contract.parse(text)

    assert time.thread_time() - started < 3


def test_unique_items_of_a_long_list_of_objects_are_checked_in_linear_time() -> None:
    contract = compile_schema(_object(a={"type": "array", "uniqueItems": True}))
    rows = ",".join(f'{{"n":{n}}}' for n in range(20_000))
    started = time.thread_time()

    contract.parse(f'{{"a":[{rows}]}}')
    with pytest.raises(AnswerInvalid, match="holds an item twice"):
        contract.parse(f'{{"a":[{rows},{{"n":7.0}}]}}')

    assert time.thread_time() - started < 3


def test_true_and_one_are_different_items() -> None:
    contract = compile_schema(_object(a={"type": "array", "uniqueItems": True}))

    assert contract.parse('{"a": [1, true, "1", null, 0, false]}').fixes == ()


@given(st.integers(), st.booleans())
def test_a_boolean_is_never_an_integer(number: int, flag: bool) -> None:
    contract = compile_schema(_object(a={"type": "integer"}))

    with pytest.raises(AnswerInvalid):
        contract.parse(f'{{"a": {str(flag).lower()}}}')
    if -(2**63) <= number < 2**63:
        assert contract.parse(f'{{"a": {number}}}').value == {"a": number}
