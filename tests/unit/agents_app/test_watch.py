"""What an agent may say about the changes that it watches."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from agents_app.spec import AgentSpec

Spec = Callable[..., AgentSpec]
Problems = Callable[..., list[str]]


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("", "must not be empty"),
        ("a..b", "must not have an empty part between dots"),
        (".a", "must not have an empty part between dots"),
        ("a.", "must not have an empty part between dots"),
        ("a.$", "no part of it may start with '$' or contain NUL"),
        ("$set", "no part of it may start with '$' or contain NUL"),
        ("_id", "'_id' of a document never changes"),
        ("_id.part", "'_id' of a document never changes"),
        ("_mongoclaw_version", "'_mongoclaw_version' is reserved"),
    ],
)
def test_what_is_no_path_to_a_field_cannot_be_watched(problems: Problems, path: str, problem: str) -> None:
    assert problems(watch__fields=["text", path]) == [f"watch.fields.1: {problem}"]


def test_a_field_that_is_named_twice_is_watched_once(spec: Spec) -> None:
    assert spec(watch__fields=["text", "tags", "text"]).watch.fields == ("text", "tags")


def test_no_fields_at_all_are_a_mistake(problems: Problems) -> None:
    assert problems(watch__fields=[]) == ["watch.fields: must not be empty"]


def test_fields_without_updates_are_remarked_upon(warnings: Problems) -> None:
    remark = "watch.fields: has no effect: only updates have changed fields, and none are watched"
    assert warnings(watch__fields=["text"], watch__operations=["insert", "replace"]) == [remark]
    assert warnings(watch__fields=["text"], watch__operations=["insert", "update"]) == []


@pytest.mark.parametrize("field", ["ai", "ai.score", "_ai_metadata.model"])
def test_watching_what_the_agent_writes_itself_is_remarked_upon(warnings: Problems, field: str) -> None:
    remark = f"watch.fields: '{field}' is what the agent writes itself, and its own writes never trigger it"
    assert warnings(watch__fields=["text", field]) == [remark]
    assert warnings(watch__fields=["text", field], write__target_collection="answers") == []


def test_images_that_no_watched_operation_has_are_remarked_upon(warnings: Problems) -> None:
    assert warnings(watch__operations=["insert"], watch__full_document_before_change="required") == [
        "watch.full_document_before_change: has no effect: there is nothing before an insert"
    ]
    assert warnings(
        watch__operations=["delete"], watch__full_document="required", write__target_collection="answers"
    ) == ["watch.full_document: has no effect: there is nothing after a delete"]
    assert warnings(watch__full_document="default") == [
        "watch.full_document: means the same as updateLookup: the newest state is read"
    ]


@pytest.mark.parametrize("mode", ["whenAvailable", "required"])
def test_images_are_wanted_only_where_they_are_asked_for(spec: Spec, mode: str) -> None:
    plain = spec().watch
    before = spec(watch__full_document_before_change=mode).watch
    after = spec(watch__full_document=mode).watch

    assert (plain.wants_state_before, plain.wants_state_after) == (False, False)
    assert (before.wants_state_before, before.wants_state_after) == (True, False)
    assert (after.wants_state_before, after.wants_state_after) == (False, True)
