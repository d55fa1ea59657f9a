"""Shared policies over HTTP: as agents are published, compared and gone back on."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from agents_app import policies
from agents_app.models import Agent, PolicyVersion
from agents_app.publish import publish
from agents_app.spec import parse_policy
from tests.integration.agents_app.conftest import NOW, MakeSpec
from tests.integration.agents_app.test_api import api, put, viewer

__all__ = ["api"]

URL = "/api/v1/policies"
SURE = {"name": "sure", "condition": "result.score > 0.8"}


@pytest.fixture
def used(api: Client, make_spec: MakeSpec) -> Agent:
    """The agent that uses the policy `sure`, both published."""
    assert post(api, "", SURE).status_code == 201
    return publish(make_spec(policy={"use": "sure"}), by="tests", now=NOW).agent


def post(client: Client, path: str, body: Any, **headers: str) -> Any:
    return client.post(URL + path, data=body, content_type="application/json", headers=headers)


def change(client: Client, body: Any, **headers: str) -> Any:
    return client.put(f"{URL}/sure", data=body, content_type="application/json", headers=headers)


def conditions(client: Client) -> str:
    return str(client.get(f"{URL}/sure").json()["condition"])


def test_a_policy_is_created_read_and_listed_with_its_agents(api: Client, used: Agent) -> None:
    answer = api.get(f"{URL}/sure")
    shown = answer.json()
    assert (shown["condition"], shown["action"], shown["version"]) == ("result.score > 0.8", "enrich", 1)
    assert (shown["used_by"], shown["description"]) == ([used.id], None)
    listed = api.get(URL).json()
    assert (listed["policies"], listed["total"]) == ([shown], 1)
    assert answer["ETag"] == '"1"'


def test_what_was_read_may_be_sent_back_and_changes_nothing(api: Client, used: Agent) -> None:
    shown = api.get(f"{URL}/sure").json()
    answer = change(api, shown)
    assert (answer.status_code, answer.json()["policy"]) == (200, shown)
    assert answer.json()["published"] == []


def test_changing_a_policy_publishes_its_agents_and_null_clears(api: Client, used: Agent) -> None:
    answer = change(api, {"simulation_mode": True, "description": "Lets in what is certain."})
    assert answer.json()["published"] == [used.id]
    assert (answer.json()["policy"]["condition"], answer.json()["policy"]["version"]) == (
        "result.score > 0.8",
        2,
    )
    used.refresh_from_db()
    assert used.current_version is not None
    assert used.current_version.policy_version == PolicyVersion.objects.get(number=2)

    cleared = change(api, {"condition": None, "description": None}).json()["policy"]
    assert (cleared["condition"], cleared["description"], cleared["simulation_mode"]) == (None, None, True)


def test_a_change_over_a_state_that_is_gone_is_refused(api: Client, used: Agent) -> None:
    seen = api.get(f"{URL}/sure")["ETag"]
    assert change(api, {"condition": "result.score > 0.5"}, **{"If-Match": seen}).status_code == 200
    stale = {"If-Match": seen}
    for answer in (
        change(api, {"condition": "result.score > 0.1"}, **stale),
        post(api, "/sure/rollback", {"version": 1}, **stale),
        api.delete(f"{URL}/sure", headers=stale),
    ):
        assert answer.status_code == 412
        assert "changed by someone else" in answer.json()["detail"]
    assert conditions(api) == "result.score > 0.5"


def test_two_changes_at_a_time_without_if_match_are_both_kept(
    api: Client, used: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, others = policies.publish, [{**SURE, "tag_value": "theirs"}]

    def publish_after_another(*arguments: Any, **named: Any) -> Any:
        if others:
            real(parse_policy(others.pop()), by="another", now=NOW + timedelta(seconds=1))
        return real(*arguments, **named)

    monkeypatch.setattr(policies, "publish", publish_after_another)
    answer = change(api, {"tag_field": "mine"})
    assert (answer.json()["policy"]["tag_field"], answer.json()["policy"]["tag_value"]) == ("mine", "theirs")


@pytest.mark.parametrize(
    ("body", "loc"),
    [
        ({"conditoin": "x"}, ["body", "conditoin"]),
        ({"condition": "result.score >"}, ["body", "condition"]),
        ({"action": "destroy"}, ["body", "action"]),
        ({"name": "another"}, ["body", "name"]),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_published(
    api: Client, used: Agent, body: dict[str, Any], loc: list[str]
) -> None:
    answer = change(api, body)
    assert (answer.status_code, answer.json()["detail"][0]["loc"]) == (422, loc)
    assert PolicyVersion.objects.count() == 1


@pytest.mark.parametrize("name", [[], {}, ["sure"], 7, "other"])
def test_a_change_of_the_name_is_answered_by_what_is_wrong_with_it(
    api: Client, used: Agent, name: object
) -> None:
    answer = change(api, {"name": name})
    assert (answer.status_code, answer.json()["detail"][0]["loc"]) == (422, ["body", "name"])
    assert "never changes" in answer.json()["detail"][0]["msg"]


def test_an_agent_that_does_not_go_with_a_change_stops_it_for_all(
    api: Client, used: Agent, make_spec: MakeSpec
) -> None:
    schema = {"type": "object", "properties": {"mood": {"type": "string"}}, "additionalProperties": False}
    ai = {"provider": "sandbox", "model": "sandbox-1", "prompt": "x", "response_schema": schema}
    write = {"metadata_field": "queue.meta"}
    publish(make_spec(id="b", policy={"use": "sure"}, ai=ai, write=write), by="tests", now=NOW)
    answer = change(api, {"action": "tag", "tag_field": "queue"})
    assert answer.status_code == 422
    assert "agent b" in str(answer.json()["detail"])
    assert (PolicyVersion.objects.count(), api.get(f"{URL}/sure").json()["version"]) == (1, 1)


def test_versions_are_listed_compared_and_gone_back_on(api: Client, used: Agent) -> None:
    change(api, {"condition": "result.score > 0.5"})
    listed = api.get(f"{URL}/sure/versions").json()
    assert [(one["number"], one["is_current"]) for one in listed["versions"]] == [(2, True), (1, False)]
    first = api.get(f"{URL}/sure/versions/1").json()
    assert first["content"]["condition"] == "result.score > 0.8"
    lines = api.get(f"{URL}/sure/diff?from=1").json()["lines"]
    changed = [(line["change"], line["text"]) for line in lines if line["change"] in "+-"]
    assert changed == [("-", "condition: result.score > 0.8"), ("+", "condition: result.score > 0.5")]
    assert api.get(f"{URL}/sure/diff").json()["detail"][0]["loc"] == ["query", "from"]
    assert api.get(f"{URL}/sure/versions/9").json()["detail"] == "Policy 'sure' has no version 9"

    answer = post(api, "/sure/rollback", {"version": 1}).json()
    assert (answer["published"], answer["message"]) == ([used.id], "Version 1 is current again")
    assert conditions(api) == "result.score > 0.8"


def test_a_policy_in_use_is_not_deleted_and_a_taken_name_not_created(api: Client, used: Agent) -> None:
    assert post(api, "", SURE).status_code == 409
    answer = api.delete(f"{URL}/sure")
    assert (answer.status_code, answer.json()["detail"]) == (
        409,
        f"Policy 'sure' cannot be deleted: it is used by {used.id}",
    )
    put(api, f"/{used.id}", {"policy": None})
    assert api.delete(f"{URL}/sure").json()["success"]
    assert api.get(f"{URL}/sure").status_code == 404
    assert api.get(URL).json()["total"] == 0
    assert post(api, "", SURE).json()["policy"]["version"] == 1, "its versions stayed"


def test_whoever_may_only_look_changes_nothing(api: Client, used: Agent) -> None:
    reader = viewer("view_policy")
    assert reader.get(f"{URL}/sure").status_code == 200
    assert change(reader, {"condition": None}).status_code == 403
    assert reader.delete(f"{URL}/sure").status_code == 403
    assert viewer().get(URL).status_code == 403
