"""The allow-list: which paths an agent may write."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents_app.errors import SpecInvalid
from agents_app.spec import AgentSpec, parse_spec

Spec = Callable[..., AgentSpec]
Problems = Callable[..., list[str]]

SCHEMA = {"type": "object", "properties": {"mood": {"type": "string"}, "score": {"type": "number"}}}


@pytest.mark.parametrize(
    ("write", "paths"),
    [
        ({"target_field": "ai"}, {"ai"}),
        ({"target_field": "ai.triage"}, {"ai.triage"}),
        ({"fields": {"mood": "m", "score": "stats.score"}}, {"m", "stats.score"}),
        ({"fields": {"mood": "m"}, "target_field": "ai"}, {"ai"}),
        ({}, {"mood", "score"}),
        ({"strategy": "replace"}, {"mood", "score"}),
        ({"strategy": "append", "array_field": "log.ai"}, {"log.ai"}),
        ({"strategy": "nested", "path": "ai"}, {"ai.mood", "ai.score"}),
        ({"strategy": "nested", "path": "ai", "fields": {"mood": "m"}}, {"ai.m"}),
        ({"strategy": "nested", "path": "ai", "target_field": "t"}, {"ai.t"}),
    ],
)
def test_the_results_of_each_strategy_have_declared_places(spec: Spec, write: Any, paths: set[str]) -> None:
    agent = spec(write=write, ai__response_schema=SCHEMA)
    assert agent.output_paths == paths | {"_ai_metadata"}
    assert agent.output_roots == {path.split(".")[0] for path in paths} | {"_ai_metadata"}


def test_nested_answers_without_a_schema_own_the_whole_path(spec: Spec) -> None:
    agent = spec(write={"strategy": "nested", "path": "a.b"})
    assert agent.output_paths == {"a.b", "_ai_metadata"}


def test_metadata_is_written_only_if_wanted(spec: Spec) -> None:
    assert spec(write__include_metadata=False).output_paths == {"ai"}
    assert spec(write__metadata_field="meta.ai").output_roots == {"ai", "meta"}


@pytest.mark.parametrize(
    ("write", "tag"),
    [
        ({}, "queue"),
        ({"strategy": "nested", "path": "ai"}, "ai.queue"),
        ({"fields": {"mood": "m"}}, "queue"),
    ],
)
def test_the_tag_of_a_policy_is_an_output(spec: Spec, write: Any, tag: str) -> None:
    agent = spec(write=write, ai__response_schema=SCHEMA, policy={"action": "tag", "tag_field": "queue"})
    assert tag in agent.output_paths


@pytest.mark.parametrize("write", [{"target_field": "ai"}, {"strategy": "append", "array_field": "ai"}])
def test_a_tag_inside_the_target_adds_no_path(spec: Spec, write: Any) -> None:
    assert spec(write=write, policy={"action": "tag"}).output_paths == {"ai", "_ai_metadata"}


def test_a_tag_may_replace_a_key_of_the_answer(spec: Spec) -> None:
    agent = spec(write={}, ai__response_schema=SCHEMA, policy={"action": "tag", "tag_field": "mood"})
    assert agent.output_paths == {"mood", "score", "_ai_metadata"}


@pytest.mark.parametrize("strategy", ["merge", "replace"])
@pytest.mark.parametrize("schema", [None, {"type": "object"}, {"type": "object", "properties": {}}])
def test_an_answer_without_declared_fields_may_not_be_merged_into_the_document(
    problems: Problems, strategy: str, schema: Any
) -> None:
    (problem,) = problems(write={"strategy": strategy}, ai__response_schema=schema)
    assert problem.startswith("write.target_field: is required because")


@pytest.mark.parametrize("key", ["target_field", "metadata_field", "path", "array_field"])
@pytest.mark.parametrize(
    "path", ["", "_id", "_id.a", "_mongoclaw_version", "$set", "a.$b", "a..b", ".a", "a.", "a\0b", "x" * 513]
)
def test_reserved_and_impossible_paths_are_refused_everywhere(
    problems: Problems, key: str, path: str
) -> None:
    found = problems(**{f"write__{key}": path})
    assert [problem.split(":")[0] for problem in found] == [f"write.{key}"]


@pytest.mark.parametrize("path", ["_id", "$a", "a..b"])
def test_reserved_paths_are_refused_as_targets_of_fields(problems: Problems, path: str) -> None:
    found = problems(write={"fields": {"mood": path}})
    assert [problem.split(":")[0] for problem in found] == ["write.fields.mood"]


@pytest.mark.parametrize("key", ["_id", "$set", "a.b", "_mongoclaw_version"])
def test_a_schema_may_not_name_a_field_that_cannot_be_written(problems: Problems, key: str) -> None:
    schema = {"type": "object", "properties": {key: {}, "ok": {}}}
    found = problems(write={}, ai__response_schema=schema)
    assert found[0].startswith(f"ai.response_schema.properties.{key}: ")


def test_a_schema_may_name_any_key_where_it_stays_below_a_target(spec: Spec) -> None:
    assert spec(ai__response_schema={"type": "object", "properties": {"_id": {}}}).output_paths


@pytest.mark.parametrize(
    ("write", "problem"),
    [
        (
            {"target_field": "_ai_metadata"},
            (
                "write.target_field: writes to '_ai_metadata', which overlaps "
                "'_ai_metadata' of write.metadata_field"
            ),
        ),
        (
            {"target_field": "_ai_metadata.x"},
            (
                "write.target_field: writes to '_ai_metadata.x', which overlaps "
                "'_ai_metadata' of write.metadata_field"
            ),
        ),
        (
            {"target_field": "ai", "metadata_field": "ai.meta"},
            "write.metadata_field: writes to 'ai.meta', which overlaps 'ai' of write.target_field",
        ),
        (
            {"fields": {"a": "x", "b": "x.y"}},
            "write.fields.b: writes to 'x.y', which overlaps 'x' of write.fields.a",
        ),
    ],
)
def test_outputs_may_not_overlap(problems: Problems, write: Any, problem: str) -> None:
    assert problems(write=write) == [problem]


def test_two_keys_may_not_go_to_one_place(problems: Problems) -> None:
    assert (
        problems(write={"fields": {"a": "x", "b": "x"}})[0]
        == "write.fields.b: writes to 'x', and so does 'a'"
    )


@pytest.mark.parametrize(("strategy", "key"), [("nested", "path"), ("append", "array_field")])
def test_a_strategy_needs_its_place(problems: Problems, strategy: str, key: str) -> None:
    assert problems(write={"strategy": strategy}) == [
        f"write.{key}: is required when write.strategy is {strategy}"
    ]


def test_a_field_that_the_schema_rules_out_draws_a_remark(warnings: Problems) -> None:
    schema = {**SCHEMA, "additionalProperties": False}
    assert warnings(write={"fields": {"moood": "m"}}, ai__response_schema=schema) == [
        "write.fields.moood: can never be in the answer: ai.response_schema does not declare it"
    ]


_segments = st.sampled_from(["_id", "$set", "", "a", "b", "ai", "_ai_metadata", "_mongoclaw_version", "0"])
_paths = st.lists(_segments, min_size=1, max_size=3).map(".".join)
_writes = st.fixed_dictionaries(
    {"strategy": st.sampled_from(["merge", "replace", "append", "nested"])},
    optional={
        "fields": st.dictionaries(st.sampled_from(["x", "y", "z"]), _paths, min_size=1),
        "target_field": _paths,
        "path": _paths,
        "array_field": _paths,
        "metadata_field": _paths,
        "include_metadata": st.booleans(),
    },
)


@given(
    _writes,
    st.none() | st.dictionaries(_paths, st.just({}), max_size=3),
    st.none() | st.fixed_dictionaries({"action": st.just("tag"), "tag_field": _segments}),
)
@settings(deadline=None, max_examples=500)
def test_whatever_is_accepted_may_never_write_reserved_or_overlapping_paths(
    write: Any, properties: Any, policy: Any
) -> None:
    data = {
        "id": "triage",
        "name": "Triage",
        "watch": {"database": "shop", "collection": "tickets"},
        "ai": {"prompt": "x", "response_schema": properties and {"properties": properties}},
        "write": write,
        "policy": policy,
    }
    try:
        paths = parse_spec(data).spec.output_paths
    except SpecInvalid:
        return
    assert paths - {data["write"].get("metadata_field", "_ai_metadata")}
    for path in paths:
        segments = path.split(".")
        assert segments[0] not in {"_id", "_mongoclaw_version"}
        assert all(segment and not segment.startswith("$") for segment in segments)
        assert not any(path.startswith(f"{other}.") for other in paths)
