"""The example agents: valid, complete, and without remarks."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from agents_app.spec import dump_yaml, load_spec
from enrichment.prompt import PromptContext, compile_prompt
from enrichment.publish_checks import check

EXAMPLES = sorted((Path(__file__).parents[3] / "examples" / "agents").glob("*.yaml"))
each_example = pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)


def test_there_are_twelve_of_them_each_with_an_id_of_its_own() -> None:
    ids = {load_spec(path.read_text()).spec.id for path in EXAMPLES}
    assert len(EXAMPLES) == len(ids) == 12


@each_example
def test_an_example_is_valid_and_draws_no_remark(path: Path) -> None:
    assert load_spec(path.read_text(), source=path.name).warnings == ()


@each_example
def test_an_example_passes_the_checks_of_publishing_without_remark(path: Path) -> None:
    assert list(check(load_spec(path.read_text()).spec)) == []


@each_example
def test_an_example_shows_what_to_copy(path: Path) -> None:
    text = path.read_text()
    spec = load_spec(text).spec
    assert text.startswith("#")
    assert spec.description
    assert spec.tags
    assert spec.watch.filter
    assert spec.ai.response_schema
    assert spec.ai.response_schema["additionalProperties"] is False


@each_example
def test_an_example_survives_writing_and_reading(path: Path) -> None:
    spec = load_spec(path.read_text()).spec
    assert load_spec(dump_yaml(spec)).spec == spec


def test_the_examples_show_every_strategy_and_every_consistency_mode() -> None:
    specs = [load_spec(path.read_text()).spec for path in EXAMPLES]
    assert {spec.write.strategy.value for spec in specs} == {"merge", "replace", "append", "nested"}
    modes = {spec.execution.consistency_mode.value for spec in specs}
    assert modes == {"eventual", "strict_post_commit", "shadow"}


# What a document of each example must hold at least; everything else has a default in its prompt.
DOCUMENTS: dict[str, dict[str, object]] = {
    "catalogue": {"name": "Lamp"},
    "changes": {"name": "Lamp", "price": "12 €"},
    "contracts": {"text": "This agreement is made between A and B."},
    "deletions": {"text": "This agreement is made between A and B."},
    "logs": {"service": "web", "time": "2026-01-01T00:00:00Z", "message": "boom"},
    "medical-notes": {"text": "Patient reports a headache."},
    "moderation": {"text": "Nice!"},
    "news": {"headline": "Rain", "body": "It rains."},
    "resumes": {"resume_text": "Ten years of Python."},
    "reviews": {"stars": 5, "text": "Great lamp."},
    "support": {"body": "Where is my lamp?"},
    "translation": {"title": "Lamp", "body": "Press the button."},
}


@each_example
def test_the_prompt_of_an_example_prints_what_the_document_holds(path: Path) -> None:
    document = DOCUMENTS[path.stem]
    context = PromptContext(
        document=document,
        event={},
        operation="insert",
        agent={},
        now=datetime(2026, 1, 1, tzinfo=UTC),
        hidden=frozenset(),
    )
    prompt = compile_prompt(load_spec(path.read_text()).spec).render(context)
    for value in document.values():
        assert not isinstance(value, str) or value in prompt.user
    assert "None" not in prompt.user
