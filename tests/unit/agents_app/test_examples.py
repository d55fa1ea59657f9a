"""The example agents: valid, complete, and without remarks."""

from __future__ import annotations

from pathlib import Path

import pytest

from agents_app.spec import dump_yaml, load_spec

EXAMPLES = sorted((Path(__file__).parents[3] / "examples" / "agents").glob("*.yaml"))
each_example = pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)


def test_there_are_ten_of_them_each_with_an_id_of_its_own() -> None:
    ids = {load_spec(path.read_text()).spec.id for path in EXAMPLES}
    assert len(EXAMPLES) == len(ids) == 10


@each_example
def test_an_example_is_valid_and_draws_no_remark(path: Path) -> None:
    assert load_spec(path.read_text(), source=path.name).warnings == ()


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
    limits = {"rate_limit_requests", "cost_limit_usd", "token_limit", "max_concurrency"}
    assert limits & spec.execution.model_fields_set


@each_example
def test_an_example_survives_writing_and_reading(path: Path) -> None:
    spec = load_spec(path.read_text()).spec
    assert load_spec(dump_yaml(spec)).spec == spec


def test_the_examples_show_every_strategy_and_every_consistency_mode() -> None:
    specs = [load_spec(path.read_text()).spec for path in EXAMPLES]
    assert {spec.write.strategy.value for spec in specs} == {"merge", "replace", "append", "nested"}
    modes = {spec.execution.consistency_mode.value for spec in specs}
    assert modes == {"eventual", "strict_post_commit", "shadow"}
