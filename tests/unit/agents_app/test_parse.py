"""Values of a specification: what is accepted, what is refused, and in which words."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from agents_app.errors import SpecInvalid
from agents_app.spec import RESERVED_IDS, AgentSpec, Operation, Strategy, WriteSpec, parse_spec

Data = Callable[..., dict[str, Any]]
Spec = Callable[..., AgentSpec]
Problems = Callable[..., list[str]]


def test_the_smallest_agent_gets_the_defaults_of_the_contract(spec: Spec) -> None:
    agent = spec()
    assert agent.watch.operations == (Operation.INSERT, Operation.UPDATE)
    assert (agent.ai.provider, agent.ai.model, agent.ai.temperature) == ("openai", "gpt-4o-mini", 0.7)
    assert (agent.ai.max_tokens, agent.write.strategy) == (2048, Strategy.MERGE)
    assert (agent.write.include_metadata, agent.write.metadata_field) == (True, "_ai_metadata")
    assert (agent.execution.max_retries, agent.execution.timeout_seconds) == (3, 60.0)
    assert (agent.execution.coalesce, agent.execution.max_hops, agent.execution.on_conflict) == (
        True,
        5,
        "skip",
    )
    assert (agent.policy, agent.enabled, agent.tags, agent.metadata) == (None, True, (), {})


def test_temperature_zero_stays_zero(spec: Spec) -> None:
    assert spec(ai__temperature=0).ai.temperature == 0.0


def test_a_specification_cannot_be_changed(spec: Spec) -> None:
    with pytest.raises(ValueError, match="frozen"):
        spec().name = "other"  # type: ignore[misc]


def test_a_specification_does_not_share_values_with_what_it_was_made_from(data: Data) -> None:
    source = data(metadata={"a": {"b": 1}})
    agent = parse_spec(source).spec
    source["metadata"]["a"]["b"] = 2
    assert agent.metadata == {"a": {"b": 1}}


@pytest.mark.parametrize("agent_id", ["a", "a1", "a-b_c", "0", "x" * 64, "a__b"])
def test_ids_of_the_contract_are_accepted(spec: Spec, agent_id: str) -> None:
    assert spec(id=agent_id).id == agent_id


@pytest.mark.parametrize(
    "agent_id",
    ["", "-a", "a-", "_a", "Triage", "a b", "a.b", "x" * 65, "ä", "a\n", "a/b", *sorted(RESERVED_IDS)],
)
def test_other_ids_are_refused(problems: Problems, agent_id: str) -> None:
    (problem,) = problems(id=agent_id)
    assert problem.startswith("id: ")


def test_an_agent_cannot_be_named_like_the_route_that_validates(problems: Problems) -> None:
    assert problems(id="validate") == ["id: 'validate' is reserved; choose another id"]


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("ai__temperature", 3, "ai.temperature: must be ≤ 2"),
        ("ai__temperature", -0.1, "ai.temperature: must be ≥ 0"),
        ("ai__temperature", "warm", "ai.temperature: must be a number"),
        ("ai__temperature", True, "ai.temperature: must be a number, not true or false"),
        ("ai__temperature", None, "ai.temperature: must be a number"),
        ("ai__max_tokens", 0, "ai.max_tokens: must be ≥ 1"),
        ("ai__max_tokens", 1.5, "ai.max_tokens: must be a whole number"),
        ("ai__prompt", ..., "ai.prompt: is required"),
        ("ai__prompt", "  \n", "ai.prompt: must not be empty"),
        ("ai__prompt", 5, "ai.prompt: must be text; put it in quotes"),
        ("ai__prompt", ["a"], "ai.prompt: must be text"),
        ("ai__response_schema", True, "ai.response_schema: must be a mapping of keys to values"),
        ("ai__extra_params", [], "ai.extra_params: must be a mapping of keys to values"),
        ("ai", "gpt", "ai: must be a mapping of keys to values"),
        ("watch", ..., "watch: is required"),
        (
            "watch__operations",
            ["isnert"],
            "watch.operations.0: must be one of insert, update, replace, delete; did you mean insert?",
        ),
        ("watch__operations", [], "watch.operations: must not be empty"),
        ("watch__operations", "insert", "watch.operations: must be a list"),
        ("watch__database", "", "watch.database: must not be empty"),
        (
            "watch__full_document",
            "lookup",
            "watch.full_document: must be one of updateLookup, default, whenAvailable, required",
        ),
        ("write__strategy", "overwrite", "write.strategy: must be one of merge, replace, append, nested"),
        ("write__fields", {}, "write.fields: must not be empty"),
        ("write__include_metadata", "maybe", "write.include_metadata: must be true or false"),
        ("execution__timeout_seconds", 0, "execution.timeout_seconds: must be > 0"),
        ("execution__timeout_seconds", "inf", "execution.timeout_seconds: must be a finite number"),
        ("execution__priority", 11, "execution.priority: must be ≤ 10"),
        ("execution__max_retries", -1, "execution.max_retries: must be ≥ 0"),
        ("execution__max_hops", 0, "execution.max_hops: must be ≥ 1"),
        ("execution__max_concurrency", 0, "execution.max_concurrency: must be ≥ 1"),
        ("execution__on_conflict", "abort", "execution.on_conflict: must be one of skip, rerun"),
        ("policy", {"action": "allow"}, "policy.action: must be one of enrich, block, tag"),
        ("policy", {"condition": " "}, "policy.condition: must not be empty"),
        ("policy", {"tag_field": "a.b"}, "policy.tag_field: must be one field name, without dots"),
        ("name", "x" * 129, "name: must have at most 128 characters"),
        ("name", "", "name: must not be empty"),
        ("description", "x" * 1025, "description: must have at most 1024 characters"),
        ("tags", [1], "tags.0: must be text; put it in quotes"),
        ("enabled", "maybe", "enabled: must be true or false"),
        ("created_at", "yesterday", "created_at: must be a date and time, such as 2026-01-31T12:00:00Z"),
        ("metadata", {"a": float("nan")}, "metadata.a: must be a finite number"),
        ("metadata", {"a": "x\0"}, "metadata.a: must not contain the NUL character"),
        ("metadata", {"a": "\ud800"}, "metadata.a: must not contain half of a surrogate pair"),
        ("metadata", {"a": 2**63}, "metadata.a: must fit into 64 bits"),
        ("metadata", {"a": {1: 2}}, "metadata.a.1: the key must be text; put it in quotes"),
        (
            "metadata",
            {"a": {1, 2}},
            "metadata.a: must be text, a number, true, false, null, a list or a mapping, not set",
        ),
    ],
)
def test_a_wrong_value_is_named_in_a_short_sentence(
    problems: Problems, path: str, value: Any, message: str
) -> None:
    assert problems(**{path: value}) == [message]


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("ai__temprature", "ai.temperature"),
        ("ai__systemPrompt", "ai.system_prompt"),
        ("ai__maxTokens", "ai.max_tokens"),
        ("watch__colection", "watch.collection"),
        ("execution__max_retry", "execution.max_retries"),
        ("temperature", "ai.temperature"),
        ("ai__target_field", "write.target_field"),
        ("tag", "tags"),
        ("watches", "watch"),
    ],
)
def test_an_unknown_key_draws_the_key_that_was_probably_meant(
    problems: Problems, path: str, meant: str
) -> None:
    assert problems(**{path: 1}) == [f"{path.replace('__', '.')}: unknown key; did you mean {meant}?"]


def test_an_unknown_key_like_no_other_is_just_unknown(problems: Problems) -> None:
    assert problems(zzz=1) == ["zzz: unknown key"]


def test_all_problems_are_told_at_once_those_of_sound_sections_included(problems: Problems) -> None:
    found = problems(name=..., ai__temperature=9, watch__filter={"$where": "1"}, write__strategy="append")
    assert [problem.split(":")[0] for problem in found] == [
        "name",
        "ai.temperature",
        "watch.filter.$where",
        "write.array_field",
    ]


@pytest.mark.parametrize("value", [None, "text", 5, [], [("id", "x")]])
def test_an_agent_must_be_a_mapping(value: Any) -> None:
    with pytest.raises(SpecInvalid, match="an agent must be a mapping of keys to values"):
        parse_spec(cast("dict[str, Any]", value))


def test_numbers_in_quotes_are_numbers(spec: Spec) -> None:
    agent = spec(ai__temperature="0.5", ai__max_tokens="100", execution__max_retries="2")
    assert (agent.ai.temperature, agent.ai.max_tokens, agent.execution.max_retries) == (0.5, 100, 2)


@pytest.mark.parametrize("section", ["execution", "metadata", "tags", "ai__extra_params"])
def test_a_section_with_nothing_in_it_means_its_defaults(spec: Spec, section: str) -> None:
    assert spec(**{section: None}) == spec()


def test_an_empty_write_section_means_its_defaults(spec: Spec) -> None:
    schema = {"type": "object", "properties": {"a": {}}}
    assert spec(write=None, ai__response_schema=schema).write == WriteSpec()


def test_tags_may_be_text_with_commas_and_count_once(spec: Spec) -> None:
    assert spec(tags="a, b,,a ").tags == ("a", "b")
    assert spec(tags=["b", "a", "b"]).tags == ("b", "a")


def test_operations_count_once_in_the_order_given(spec: Spec) -> None:
    agent = spec(watch__operations=["delete", "insert", "delete"])
    assert agent.watch.operations == (Operation.DELETE, Operation.INSERT)


def test_what_the_server_manages_is_accepted(spec: Spec) -> None:
    agent = spec(version=7, created_at="2026-01-02T03:04:05", updated_at=datetime(2026, 1, 2, tzinfo=UTC))
    assert (agent.version, agent.created_at) == (7, datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
    assert agent.updated_at == datetime(2026, 1, 2, tzinfo=UTC)


@pytest.mark.parametrize("collection", ["app.users", "a b", "with/slash", "ünïcode", "a" * 200])
def test_collection_names_that_mongodb_accepts_are_accepted(spec: Spec, collection: str) -> None:
    agent = spec(watch__collection=collection)
    assert agent.watch_namespace == ("shop", collection)


@pytest.mark.parametrize("collection", ["", ".a", "a.", "a..b", "a$b", "system.users", "a\0", "x" * 236])
def test_collection_names_that_mongodb_refuses_are_refused(problems: Problems, collection: str) -> None:
    assert [problem.split(":")[0] for problem in problems(watch__collection=collection)] == [
        "watch.collection"
    ]


@pytest.mark.parametrize(
    "database", ["a.b", "a b", "a/b", "a\\b", 'a"b', "a$b", "x" * 64, "admin", "local", "config"]
)
def test_database_names_that_cannot_be_watched_are_refused(problems: Problems, database: str) -> None:
    assert [problem.split(":")[0] for problem in problems(watch__database=database)] == ["watch.database"]


def test_the_target_is_the_source_unless_said_otherwise(spec: Spec) -> None:
    assert spec().target_namespace == ("shop", "tickets")
    assert spec(write__target_collection="out").target_namespace == ("shop", "out")
    assert spec(write__target_database="b", write__target_collection="out").target_namespace == ("b", "out")


def test_values_that_are_nested_without_end_are_refused(data: Data) -> None:
    loop: dict[str, Any] = {}
    loop["again"] = loop
    with pytest.raises(SpecInvalid, match="nested deeper than 64 levels"):
        parse_spec(data(metadata=loop))


def test_more_values_than_anyone_can_mean_are_refused(data: Data) -> None:
    with pytest.raises(SpecInvalid, match="holds more than 20,000 values"):
        parse_spec(data(metadata={"a": [1] * 30_000}))


def test_the_first_delay_may_not_be_longer_than_the_longest(problems: Problems) -> None:
    assert problems(execution__retry_delay_seconds=90) == [
        "execution.retry_delay_seconds: must be ≤ retry_max_delay_seconds (60)"
    ]
