from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from bson import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from agents_app.errors import SpecInvalid
from agents_app.spec import AgentSpec, parse_spec
from enrichment.errors import WriteRefused
from enrichment.writeback import Provenance, ReadState, hidden_roots, plan_write
from enrichment.writeback.targets import assign, covers

NOW = datetime(2026, 11, 20, tzinfo=UTC)
RUN = Provenance(
    execution_id="run-1",
    agent_id="triage",
    version=1,
    input_hash="0" * 32,
    as_of=Timestamp(1, 1),
    claim=1,
    model="m",
    provider="sandbox",
    tokens=1,
    cost_usd=None,
    latency_ms=1.0,
)
SCHEMA = {"type": "object", "properties": {"category": {}, "score": {}, "tags": {}}}


def make_spec(write: dict[str, Any], **sections: Any) -> AgentSpec:
    ai = {"prompt": "x", "response_schema": SCHEMA, **sections.pop("ai", {})}
    watch = {"database": "shop", "collection": "tickets"}
    data = {"id": "triage", "name": "t", "watch": watch, "ai": ai, "write": write, **sections}
    return parse_spec(data).spec


TAG = {"action": "tag", "tag_field": "flag", "tag_value": "yes"}


def test_a_field_map_keeps_only_its_keys_and_renames_them() -> None:
    spec = make_spec({"fields": {"category": "triage.kind"}})
    assignment = assign(spec, {"category": "bug", "score": 1})
    assert assignment.sets == {"triage.kind": "bug"}
    assert assignment.dropped == ("score",)


def test_a_field_map_inside_an_array_element_builds_objects() -> None:
    spec = make_spec(
        {"strategy": "append", "array_field": "log", "fields": {"category": "a.b", "score": "a.c"}}
    )
    assert assign(spec, {"category": 1, "score": 2}).pushes == {"log": {"a": {"b": 1, "c": 2}}}


def test_a_target_field_applies_inside_the_nested_path_and_inside_the_element() -> None:
    nested = make_spec({"strategy": "nested", "path": "ai.triage", "target_field": "v1"})
    assert assign(nested, {"category": "bug"}).sets == {"ai.triage.v1.category": "bug"}
    append = make_spec({"strategy": "append", "array_field": "log", "target_field": "v1"})
    assert assign(append, {"category": "bug"}).pushes == {"log": {"v1": {"category": "bug"}}}


def test_a_policy_tag_is_written_under_its_own_name_beside_a_field_map() -> None:
    spec = make_spec({"fields": {"category": "kind"}}, policy=TAG)
    assert assign(spec, {"category": "bug", "flag": "yes"}).sets == {"kind": "bug", "flag": "yes"}


def test_a_policy_tag_of_the_models_own_making_is_not_written() -> None:
    spec = make_spec({}, policy=TAG)
    assignment = assign(spec, {"category": "bug", "flag": "no"})
    assert assignment.sets == {"category": "bug"}
    assert assignment.dropped == ("flag",)


def test_replace_without_target_removes_what_the_answer_lacks() -> None:
    assignment = assign(make_spec({"strategy": "replace"}), {"category": "bug"})
    assert set(assignment.unsets) == {"score", "tags"}


@pytest.mark.parametrize("key", ["", "$set", "a.b", "$", "a\0b"])
def test_a_key_that_is_no_field_name_is_refused(key: str) -> None:
    with pytest.raises(WriteRefused):
        assign(make_spec({"target_field": "ai"}), {key: 1})
    if "." not in key:
        with pytest.raises(WriteRefused):
            assign(make_spec({"target_field": "ai"}), {"category": [{"x": {key: 1}}]})


def test_a_value_that_is_nested_too_deeply_is_refused() -> None:
    value: Any = 1
    for _ in range(120):
        value = [value]
    with pytest.raises(WriteRefused, match="nested too deeply"):
        assign(make_spec({}), {"category": value})


@pytest.mark.parametrize("protected", ["category", "category.x"])
def test_a_protected_path_is_refused_above_and_below(protected: str) -> None:
    with pytest.raises(WriteRefused, match="shard key"):
        assign(make_spec({}), {"category": 1}, protected=frozenset({protected}))
    with pytest.raises(WriteRefused, match="shard key"):
        assign(make_spec({"target_field": "ai"}), {"region": 1}, protected=frozenset({"ai"}))


def test_the_hidden_fields_are_the_outputs_and_mongoclaws_own() -> None:
    spec = make_spec(
        {"fields": {"category": "ai.kind"}, "metadata_field": "meta.ai", "include_metadata": False}
    )
    assert hidden_roots(spec) == {"ai", "meta", "_mongoclaw_version"}


NAMES = st.sampled_from(
    ["category", "score", "tags", "owner", "flag", "_id", "_ai_metadata", "ai", "$set", "a.b", ""]
)
PATHS = st.lists(st.sampled_from(["ai", "kind", "out", "x1"]), min_size=1, max_size=3).map(".".join)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)
WRITES = st.fixed_dictionaries(
    {
        "strategy": st.sampled_from(["merge", "replace", "append", "nested"]),
        "path": PATHS,
        "array_field": PATHS,
        "include_metadata": st.booleans(),
    },
    optional={
        "target_field": PATHS,
        "fields": st.dictionaries(st.sampled_from(["category", "score", "owner"]), PATHS, min_size=1),
        "target_collection": st.just("results"),
        "metadata_field": st.sampled_from(["_ai_metadata", "meta.ai"]),
    },
)


@given(
    write=WRITES,
    answer=st.dictionaries(NAMES, VALUES, max_size=6),
    tagged=st.booleans(),
    strict=st.booleans(),
)
def test_no_path_outside_the_allow_list_is_ever_in_an_update(
    write: dict[str, Any], answer: dict[str, Any], tagged: bool, strict: bool
) -> None:
    mode = "strict_post_commit" if strict else "eventual"
    try:
        spec = make_spec(write, policy=TAG if tagged else None, execution={"consistency_mode": mode})
        plan = plan_write(spec, 1, answer, RUN, ReadState({"_id": 1, "text": "x"}), NOW)
    except (SpecInvalid, WriteRefused):
        return
    assert set(plan.update) <= {"$set", "$unset", "$push", "$inc"}
    assert plan.update.get("$inc", {}) in ({}, {"_mongoclaw_version": 1})
    for operator in ("$set", "$unset", "$push"):
        for path in plan.update.get(operator, {}):
            assert any(covers(outer, path) for outer in spec.output_paths), path
            assert path.partition(".")[0] not in {"_id", "owner", "_mongoclaw_version"}
    assert (plan.database, plan.collection) == spec.target_namespace
