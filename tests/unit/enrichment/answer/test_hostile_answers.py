"""10,000 hostile or malformed answers: none becomes an Answer unless it is valid by a check of its own."""

from __future__ import annotations

import json
from typing import Any

import bson
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from enrichment.answer import Answer, AnswerContract, AnswerError, compile_schema

TICKET: dict[str, Any] = {
    "type": "object",
    "properties": {
        "category": {"type": "string", "enum": ["bug", "idea"]},
        "score": {"type": "integer", "minimum": 0, "maximum": 10},
        "ratio": {"type": "number"},
        "tags": {"type": "array", "items": {"type": "string", "maxLength": 8}, "maxItems": 3},
        "note": {"type": "string", "pattern": "^[a-z ]*$"},
    },
    "required": ["category"],
    "additionalProperties": False,
}
OPEN: dict[str, Any] = {"type": "object", "properties": {"a": {"type": ["integer", "null"]}}}
TREE: dict[str, Any] = {
    "type": "object",
    "$defs": {
        "node": {
            "type": "object",
            "properties": {
                "name": {"type": "string"},
                "children": {"type": "array", "items": {"$ref": "#/$defs/node"}},
            },
            "required": ["name"],
            "additionalProperties": False,
        }
    },
    "properties": {"root": {"$ref": "#/$defs/node"}},
    "required": ["root"],
    "patternProperties": {"^x-": {"type": "boolean"}},
    "additionalProperties": False,
}

SCHEMAS: dict[str, dict[str, Any] | None] = {"ticket": TICKET, "open": OPEN, "tree": TREE, "none": None}
CONTRACTS = {name: compile_schema(schema) for name, schema in SCHEMAS.items()}

CORPUS = [
    "",
    " ",
    "null",
    "true",
    "[]",
    "{}",
    "I cannot help with that.",
    "{'category': 'bug'}",
    "{category: 'bug'}",
    '{"category": "bug"',
    '{"category": "bug"} {"category": "idea"}',
    '{"a": {"category": "bug"}',
    'Answer: {"x": {"y": {"category": "bug"}}}',
    '{"category": "bug", "$set": {"admin": true}}',
    '{"category": "bug", "_id": 1}',
    '{"category": "bug", "a.b": 1}',
    '{"category": "bug", "": 1}',
    '{"category": "bug", "note": "\\u0000"}',
    '{"category": "bug", "note": "\\ud83d"}',
    '{"category": "bug", "a\\u0000b": 1}',
    '{"category": "bug", "score": 1e400}',
    '{"category": "bug", "score": -1e400}',
    '{"category": "bug", "score": NaN}',
    '{"category": "bug", "score": Infinity}',
    '{"category": "bug", "score": true}',
    '{"category": "bug", "score": "1"}',
    '{"category": "bug", "score": 1.5}',
    '{"category": "bug", "score": 3.0}',
    '{"category": "bug", "ratio": 123456789012345678901234567890}',
    '{"category": "bug", "ratio": 1' + "0" * 400 + "}",
    '{"category": "bug", "category": "idea"}',
    '{"__proto__": {"x": 1}, "category": "bug"}',
    '{"category": ["bug"]}',
    '{"category": {"$ne": null}}',
    '{"a": {"$where": "sleep(1000)"}}',
    '{"a": 1, "b": {"c.d": 1}}',
    '{"a": 9223372036854775807}',
    '{"a": 9223372036854775808}',
    '{"root": {"name": "x", "children": [{"children": []}]}}',
    '{"root": {"name": "x"}, "x-": 1}',
    '{"root": {"name": "x"}, "x-$": true, "x-.": true}',
    '{"root":' + '{"name":"x","children":[' * 60 + '{"name":"x"}' + "]}" * 60 + "}",
    '```json\n{"category": "bug"}\n```\n```json\n{"category": "idea"}\n```',
    '```\n{"category": "bug",}\n```',
    "```json\n```",
    '<think>{"category": "bug"}',
    '<think></think>{"category": "bug", "score": 11}',
    '[{"category": "bug"}]',
    '[[{"category": "bug"}]]',
    '"{\\"category\\": \\"bug\\"}"',
    '{"category": "bug"}\x00',
    '\ufeff{"category": "bug"}',
    '{"category": "bug", "tags": ["a", "b", "c", "d"]}',
    '{"category": "bug"} // done',
    '{"category": /* x */ "bug"}',
    '{"category": "bug", "tags": [,]}',
    '{"category": "bug",, "score": 1}',
    '{"category": "b\nug"}',
    '{"category": "bug", "score": 01}',
    '{"category": "bug", "score": +1}',
    '{"category": "bug", "score": .5}',
    '{"a": ' + "[" * 100 + "]" * 100 + "}",
]

KEYS = (
    st.sampled_from(["category", "score", "ratio", "tags", "note", "a", "root", "name", "children", "x-"])
    | st.sampled_from(["$set", "a.b", "", "a\0b", "_id", "__proto__", "\ud800"])
    | st.text(max_size=6)
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-3, 12)
    | st.integers()
    | st.floats()
    | st.sampled_from(["bug", "idea", "Bug", " IDEA", "a", "\0", "\ud800", "1", "$x"])
    | st.text(st.characters(codec=None), max_size=8)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)
TICKETS = st.fixed_dictionaries(
    {"category": st.sampled_from(["bug", "idea", "BUG", "rant", None])},
    optional={
        "score": st.integers(-1, 11) | st.none() | st.booleans() | st.floats(),
        "ratio": st.floats() | st.integers() | st.none(),
        "tags": st.lists(st.text(max_size=10) | st.none(), max_size=4),
        "note": st.text("ab 1", max_size=9) | st.none(),
        "owner": st.just("me"),
    },
)
LABELS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=4)
NODES: st.SearchStrategy[Any] = st.recursive(
    st.fixed_dictionaries({"name": LABELS}),
    lambda inner: st.fixed_dictionaries({"name": LABELS}, optional={"children": st.lists(inner, max_size=3)}),
    max_leaves=8,
)
TREES = st.fixed_dictionaries({"root": NODES}, optional={"x-1": st.booleans() | st.none(), "y": st.none()})
WRAPS = st.sampled_from(
    [
        *(
            "%s",
            "```json\n%s\n```",
            "```%s```",
            "Sure! %s Bye.",
            "[%s]",
            "%s%s",
            "{%s}",
            "<think>x</think>%s",
        ),
        *("x [%s] y", '{"r": %s', "%s}", "\ufeff%s", "'%s'", '"%s"', "%s,", "a {b %s"),
    ]
)
MANY = settings(
    max_examples=2_500,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)


def _is_clean(value: object) -> bool:
    if isinstance(value, dict):
        keys_are_clean = all(
            key != "" and not key.startswith("$") and "." not in key and "\0" not in key for key in value
        )
        return keys_are_clean and all(map(_is_clean, value.values()))
    if isinstance(value, list):
        return all(map(_is_clean, value))
    return value is None or isinstance(value, str | int | float)


def _check(answer: Answer, schema: dict[str, Any] | None) -> None:
    value = answer.value
    assert isinstance(value, dict)
    assert _is_clean(value)
    assert bson.decode(bson.encode(value)) == value
    assert json.loads(json.dumps(value, allow_nan=False)) == value
    if schema is not None:
        Draft202012Validator(schema).validate(value)


def _try(text: str) -> int:
    """Give the text to every contract; return how many took it."""
    taken = 0
    for name, contract in CONTRACTS.items():
        try:
            answer = contract.parse(text)
        except AnswerError:
            continue
        _check(answer, SCHEMAS[name])
        taken += 1
    return taken


def _wrapped(wrap: str, text: str) -> str:
    return wrap.replace("%s", text)


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


@pytest.mark.parametrize("text", CORPUS, ids=lambda text: text[:40] or "empty")
def test_the_corpus_gives_nothing_that_is_invalid(text: str) -> None:
    _try(text)


@MANY
@given(VALUES, WRAPS)
def test_any_json_gives_nothing_that_is_invalid(value: object, wrap: str) -> None:
    _try(_wrapped(wrap, _text(value)))


@MANY
@given(TICKETS | TREES, WRAPS)
def test_answers_near_the_schema_give_nothing_that_is_invalid(value: object, wrap: str) -> None:
    _try(_wrapped(wrap, _text(value)))


@MANY
@given(
    TICKETS | TREES,
    st.integers(0, 400),
    st.integers(0, 12),
    st.text('{}[]",:\\ \n0a$.NaN', max_size=6),
    WRAPS,
)
def test_answers_cut_and_spliced_give_nothing_that_is_invalid(
    value: object, start: int, length: int, inserted: str, wrap: str
) -> None:
    text = _text(value)
    _try(_wrapped(wrap, text[:start] + inserted + text[start + length :]))


@MANY
@example('{"\ud800": 1}')
@given(st.text(st.characters(codec=None) | st.sampled_from('{}[]",:\\`<>'), max_size=200))
def test_any_text_gives_nothing_that_is_invalid(text: str) -> None:
    _try(text)


@settings(max_examples=300, deadline=None)
@given(NODES, st.sampled_from(["%s", "Sure! %s Bye.", "```json\n%s\n```", "It is (%s): done"]))
def test_the_outermost_object_is_taken_whole(node: Any, wrap: str) -> None:
    contract: AnswerContract = CONTRACTS["tree"]

    assert contract.parse(_wrapped(wrap, _text({"root": node}))).value == {"root": node}


@settings(max_examples=300, deadline=None)
@given(NODES, st.data())
def test_a_truncated_answer_is_never_taken(node: Any, data: st.DataObject) -> None:
    text = _text({"root": {"name": "outer", "children": [{"name": "inner"}, node]}})
    cut = data.draw(st.integers(0, len(text) - 1))

    assert _try(text[:cut]) == 0


def test_the_generators_also_make_valid_answers() -> None:
    assert _try('{"category": "bug", "score": 3, "tags": ["a"]}') == 3
    assert _try('{"root": {"name": "x", "children": [{"name": "y"}]}}') == 3
