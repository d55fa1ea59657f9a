"""Rules that stand in words are obeyed: in descriptions, and in the prompt."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from enrichment.answer import compile_schema
from sandbox.model.completion import answer_text, read_question
from sandbox.model.schema_hints import schema_in_words, with_hints

EXAMPLES = sorted((Path(__file__).parents[3] / "examples" / "agents").glob("*.yaml"))


def test_limits_at_the_end_of_a_description_count() -> None:
    schema = {"type": "integer", "description": "From (low) to high (minimum 1; maximum 5)"}
    assert with_hints(schema) == {"minimum": 1, "maximum": 5, **schema}


def test_a_pattern_with_brackets_is_read_whole() -> None:
    schema = {"type": "string", "description": '(pattern "^(a|b; c)$"; maxLength 3)'}
    assert with_hints(schema)["pattern"] == "^(a|b; c)$"


@pytest.mark.parametrize(
    "words", ["a number (roughly)", "(minimum many)", "(minimum 1; be kind)", "(minimum 1", ")"]
)
def test_other_words_are_words(words: str) -> None:
    assert with_hints({"description": words}) == {"description": words}


def test_a_schema_in_the_prompt_is_found() -> None:
    assert schema_in_words('Valid for this JSON Schema:\n{"type": "object"}\n\nText') == {"type": "object"}
    assert schema_in_words("Valid for this JSON Schema:\nnone") is None


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_answers_to_the_example_agents_need_no_repair(path: Path) -> None:
    contract = compile_schema(yaml.safe_load(path.read_text(encoding="utf-8"))["ai"]["response_schema"])
    for number in range(50):
        messages = [
            {"role": "user", "content": f"Document {number} about a parcel that never came to Bilbao."}
        ]
        wanted: dict[str, object] = {"type": "json_object"}
        if contract.provider_schema is not None:
            wanted = {
                "type": "json_schema",
                "json_schema": {"name": "answer", "schema": contract.provider_schema},
            }
        else:
            messages.insert(0, {"role": "system", "content": str(contract.instruction)})
        body = json.dumps({"messages": messages, "response_format": wanted}).encode()
        contract.parse(answer_text(read_question(body, external=False)))
