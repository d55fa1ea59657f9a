from __future__ import annotations

import time
from typing import Any

import pytest

from agents_app.errors import Decision, MongoClawError
from enrichment.answer import AnswerContract, AnswerEmpty, AnswerInvalid, compile_schema

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "category": {"type": "string", "enum": ["Bug", "Idea"]},
        "score": {"type": "integer", "minimum": 0, "maximum": 10},
        "tags": {"type": "array", "items": {"type": "string", "maxLength": 12}, "uniqueItems": True},
        "parts": {"type": "object", "properties": {"deep": {"type": "object"}}},
    },
    "required": ["category"],
    "additionalProperties": False,
}


@pytest.fixture(scope="module")
def contract() -> AnswerContract:
    return compile_schema(SCHEMA)


@pytest.mark.parametrize(
    ("text", "value", "fixes"),
    [
        ('{"category": "Bug"}', {"category": "Bug"}, ()),
        ('\ufeff {"category": "Bug"}\n', {"category": "Bug"}, ()),
        ('```json\n{"category": "Bug"}\n```', {"category": "Bug"}, ("code_fence",)),
        ('```\n{"category": "Bug"}```', {"category": "Bug"}, ("code_fence",)),
        ('Here: {"category": "Bug"}. Bye', {"category": "Bug"}, ("surrounding_text",)),
        ('Use {x}, see [1]: {"category": "Bug"}', {"category": "Bug"}, ("surrounding_text",)),
        ('{"category": "Bug", "tags": ["a",],}', {"category": "Bug", "tags": ["a"]}, ("trailing_comma",)),
        ('{"category": "Bug", "tags": [",]"],}', {"category": "Bug", "tags": [",]"]}, ("trailing_comma",)),
        ('[{"category": "Bug"}]', {"category": "Bug"}, ("single_item_array",)),
        ('{"category": "bug "}', {"category": "Bug"}, ("enum_case",)),
        ('{"category": "Bug", "score": null}', {"category": "Bug"}, ("null_dropped",)),
        (
            '<think>{"category": "Idea"}</think>{"category": "Bug"}',
            {"category": "Bug"},
            ("reasoning_removed",),
        ),
        (
            'x {"category": "Bug", "parts": {"deep": {"a": {"b": 1}}}} y',
            {"category": "Bug", "parts": {"deep": {"a": {"b": 1}}}},
            ("surrounding_text",),
        ),
    ],
)
def test_a_usable_answer_is_read_and_each_fix_is_on_record(
    contract: AnswerContract, text: str, value: dict[str, Any], fixes: tuple[str, ...]
) -> None:
    answer = contract.parse(text)

    assert answer.value == value
    assert answer.fixes == fixes


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("I am not JSON at all", "no JSON object"),
        ('{"category": "Bug"', "not closed"),
        ('text {"category": {"category": "Bug"}', "not closed"),
        ('{"category": "Bug"} or {"category": "Idea"}', "more than one"),
        ('see [{"category": "Bug"}, 3]', "part of something else"),
        ('{\'result\': {"category": "Bug"}}', "part of something else"),
        ('{result: {"category": "Bug"}', "part of something else"),
        ('[{"category": "Bug"}, {"category": "Bug"}]', "one JSON object"),
        ("{'category': 'Bug'}", "no JSON object"),
        ('"text"', "one JSON object"),
        ('{"category": "Bug", "category": "Idea"}', "names a key twice"),
        ('{"category": "Bug", "score": NaN}', "NaN"),
        ('{"category": "Bug", "score": -Infinity}', "-Infinity"),
        ('{"category": "Bug", "score": 1e999}', "too large"),
        ('{"category": "Bug", "score": 9223372036854775808}', "64 bits"),
        ('{"category": "Bug", "score": ' + "9" * 5000 + "}", "64 bits"),
        ('{"category": "Bug", "score": true}', "answer.score: must be integer, is boolean"),
        ('{"category": "Bug", "score": "3"}', "answer.score: must be integer, is string"),
        ('{"category": "Bug", "score": 11}', "answer.score: must be at most 10"),
        ('{"category": "Rant"}', 'answer.category: must be one of ["Bug", "Idea"]'),
        ('{"category": null}', "answer.category"),
        ("{}", "'category' is a required property"),
        ('{"category": "Bug", "owner": "me"}', "answer.owner: is not a declared field"),
        ('{"category": "Bug", "tags": ["a", "a"]}', "answer.tags: holds an item twice"),
        ('{"category": "Bug", "tags": ["a", "much too long a tag"]}', "answer.tags[1]: must have at most 12"),
        ('{"category": "Bug", "parts": {"deep": {"$set": 1}}}', "starts with $"),
        ('{"category": "Bug", "parts": {"deep": {"a.b": 1}}}', "holds a dot"),
        ('{"category": "Bug", "parts": {"deep": {"": 1}}}', "is empty"),
        ('{"category": "Bug", "parts": {"deep": {"a\\u0000": 1}}}', "NUL"),
        ('{"category": "Bug", "tags": ["\\u0000"]}', "NUL"),
        ('{"category": "Bug", "tags": ["\\ud800"]}', "surrogate"),
        ('{"category": "Bug", "parts": {"deep": ' + '{"a":' * 70 + "1" + "}" * 70 + "}}", "deeper than 64"),
        ('{"category": "Bug", "parts": ' + '{"a":' * 5000 + "1" + "}" * 5001, "nested too deeply"),
        ('{"category": "Bug", "parts": {"deep": {"a": [' + "1," * 60_000 + "1]}}}", "50,000 values"),
        ('{"category": "' + "x" * 1_000_000 + '"}', "1,000,000 characters"),
    ],
)
def test_an_unusable_answer_is_refused_with_its_reason(
    contract: AnswerContract, text: str, problem: str
) -> None:
    with pytest.raises(AnswerInvalid) as caught:
        contract.parse(text)

    assert problem in "; ".join(caught.value.problems)
    assert len(str(caught.value)) < 2_000


@pytest.mark.parametrize("text", [None, "", " \n\t"])
def test_an_empty_answer_is_its_own_error_and_worth_another_try(
    contract: AnswerContract, text: str | None
) -> None:
    with pytest.raises(AnswerEmpty) as caught:
        contract.parse(text)

    assert caught.value.decision is Decision.RETRY


def test_an_invalid_answer_is_a_failure_of_the_document(contract: AnswerContract) -> None:
    with pytest.raises(MongoClawError) as caught:
        contract.parse("{}")

    assert caught.value.decision is Decision.DEAD
    assert caught.value.code == "answer_invalid"


def test_problems_never_quote_long_values(contract: AnswerContract) -> None:
    secret = "s3cret" * 1000

    with pytest.raises(AnswerInvalid) as caught:
        contract.parse(f'{{"category": "{secret}", "{secret}": 1, "score": "{secret}"}}')

    assert all(len(problem) < 300 for problem in caught.value.problems)
    assert secret not in str(caught.value)


def test_without_a_schema_an_object_passes_as_it_is() -> None:
    assert compile_schema(None).parse('{"a": [1, null]}').value == {"a": [1, None]}
    assert compile_schema(None).parse('```json\n{"a": 1}\n```').fixes == ("code_fence",)


@pytest.mark.parametrize(
    "text", ["Just words.", "[1, 2]", '"quoted"', "3", 'Words {"a": 1} around.', "{x} y"]
)
def test_without_a_schema_other_text_becomes_content(text: str) -> None:
    assert compile_schema(None).parse(text).value == {"content": text}


@pytest.mark.parametrize(
    "text", ['{"a": 1', '{"a": 1, "a": 2}', '{"$set": 1}', '{"a": NaN}', '{"a": "\\ud800"}']
)
def test_without_a_schema_a_broken_object_is_not_taken_for_content(text: str) -> None:
    with pytest.raises(AnswerInvalid):
        compile_schema(None).parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 900_000,
        "{" * 900_000,
        '{"a":' * 180_000,
        '{"a":' + "[1," * 100_000 + "}",
        '"\\"' * 300_000,
        '{"' + '\\"' * 300_000,
        "{" + " " * 900_000,
        "{ " * 450_000,
        '{"a":1' + "," * 900_000 + "}",
        '{"a":1' + ", " * 450_000 + "}",
        "<think>" * 100_000,
        "```" * 300_000,
    ],
)
def test_texts_made_to_be_slow_are_refused_in_linear_time(contract: AnswerContract, text: str) -> None:
    started = time.thread_time()

    with pytest.raises(AnswerInvalid):
        contract.parse(text)

    assert time.thread_time() - started < 2


def test_the_instruction_holds_the_schema(contract: AnswerContract) -> None:
    assert '"enum": ["Bug", "Idea"]' in (contract.instruction or "")
    assert compile_schema(None).instruction is None


def test_the_repair_prompt_lists_the_problems_and_stays_short(contract: AnswerContract) -> None:
    text = contract.repair_prompt(["answer.score: must be at most 10"] * 500)

    assert "- answer.score: must be at most 10" in text
    assert len(text) < 3_000
