"""Answers of the sandbox model fit the schema that was asked for, whatever the prompt."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from sandbox.model.schema_answer import SchemaAnswer

SCHEMAS: dict[str, dict[str, Any]] = {
    "triage": {
        "type": "object",
        "properties": {
            "category": {"type": "string", "enum": ["billing", "bug", "praise"]},
            "summary": {"type": "string", "minLength": 20, "maxLength": 120},
            "confidence": {"type": "number", "minimum": 0, "maximum": 1},
            "priority": {"type": "integer", "minimum": 1, "maximum": 5},
            "tags": {
                "type": "array",
                "items": {"type": "string"},
                "minItems": 2,
                "maxItems": 4,
                "uniqueItems": True,
            },
            "escalate": {"type": "boolean"},
        },
        "required": ["category", "summary", "confidence", "priority"],
        "additionalProperties": False,
    },
    "const and null": {
        "type": "object",
        "properties": {"v": {"const": 3}, "n": {"type": "null"}},
        "required": ["v", "n"],
    },
    "nullable": {
        "type": "object",
        "properties": {"name": {"type": ["null", "string"]}},
        "required": ["name"],
    },
    "any of": {
        "anyOf": [{"type": "integer", "exclusiveMinimum": 3, "exclusiveMaximum": 5}, {"type": "null"}]
    },
    "one of": {"oneOf": [{"type": "string", "maxLength": 5}, {"type": "number", "minimum": 5}]},
    "all of": {
        "allOf": [
            {"type": "object", "required": ["a"]},
            {"properties": {"a": {"type": "integer", "minimum": 7}}},
        ]
    },
    "local reference": {
        "$defs": {
            "money": {
                "type": "object",
                "properties": {"eur": {"type": "number", "multipleOf": 0.5}},
                "required": ["eur"],
            }
        },
        "type": "array",
        "items": {"$ref": "#/$defs/money"},
        "minItems": 1,
    },
    "tree": {
        "type": "object",
        "properties": {"name": {"type": "string"}, "children": {"type": "array", "items": {"$ref": "#"}}},
        "required": ["name"],
    },
    "pattern": {"type": "string", "pattern": r"^[A-Z]{2}-\d{4}(-x|-y)?$"},
    "pattern and length": {"type": "string", "pattern": "^[a-z]+$", "minLength": 12, "maxLength": 40},
    "tuple": {"type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}], "items": False},
    "contains": {"type": "array", "contains": {"const": "yes"}, "maxItems": 3},
    "counted properties": {"type": "object", "minProperties": 3, "additionalProperties": {"type": "integer"}},
    "required but undeclared": {"type": "object", "required": ["free"]},
    "negative bounds": {"type": "number", "maximum": -3},
    "large step": {"type": "integer", "minimum": 10, "multipleOf": 7},
    "tiny text": {"type": "string", "minLength": 1, "maxLength": 1},
    "empty": {},
}


@pytest.mark.parametrize("name", SCHEMAS)
@given(seed=st.integers(0, 2**64 - 1), words=st.lists(st.text(min_size=1), min_size=1, max_size=20))
@settings(max_examples=40, deadline=None)
def test_the_answer_fits_the_schema(name: str, seed: int, words: list[str]) -> None:
    answer = SchemaAnswer(SCHEMAS[name], seed=seed, words=tuple(words)).value()
    Draft202012Validator(SCHEMAS[name]).validate(answer)


def test_the_same_prompt_gets_the_same_answer() -> None:
    one, other = (SchemaAnswer(SCHEMAS["triage"], seed=5, words=("late", "order")).value() for _ in range(2))
    assert one == other


@pytest.mark.parametrize(
    "kind", ["date", "date-time", "email", "uri", "uuid", "ipv4", "ipv6", "time", "hostname"]
)
def test_a_format_is_kept(kind: str) -> None:
    schema = {"type": "string", "format": kind}
    answer = SchemaAnswer(schema, seed=3, words=("word",)).value()
    Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(answer)


def test_a_document_of_one_word_gets_as_many_different_tags_as_the_schema_asks_for() -> None:
    schema = {"type": "array", "items": {"type": "string"}, "minItems": 4, "uniqueItems": True}
    answer = SchemaAnswer(schema, seed=1, words=("",)).value()
    assert len(set(answer)) == len(answer) >= 4
