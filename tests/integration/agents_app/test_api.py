"""Agents over HTTP, as the contract has them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from agents_app import publish as publishing
from agents_app.models import Agent, AgentVersion
from tests.integration.agents_app.conftest import NOW, MakeSpec

URL = "/api/v1/agents"
BODY: dict[str, Any] = {
    "id": "triage",
    "name": "Triage",
    "watch": {"database": "shop", "collection": "tickets"},
    "ai": {"provider": "sandbox", "model": "sandbox-1", "prompt": "Sort: {{ document.text }}"},
    "write": {"target_field": "ai"},
}


@pytest.fixture
def api(transactional_db: None) -> Client:
    """A client that may do everything."""
    return client_of(User.objects.create(username="root", is_superuser=True))


@pytest.fixture(autouse=True)
def _without_mongodb(settings: Any) -> None:
    """No check asks a server."""
    settings.AGENT_PUBLISH_CHECKS = ["enrichment.publish_checks.check"]


def client_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def viewer(*permissions: str) -> Client:
    user = User.objects.create(username="_".join(permissions) or "nobody")
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    return client_of(user)


def post(client: Client, path: str, body: Any = None, **headers: str) -> Any:
    return client.post(URL + path, data=body, content_type="application/json", headers=headers)


def put(client: Client, path: str, body: Any, **headers: str) -> Any:
    return client.put(URL + path, data=body, content_type="application/json", headers=headers)


def test_an_agent_is_created_with_its_policy_and_read_with_all_defaults(api: Client) -> None:
    made = post(api, "", {**BODY, "policy": {"condition": "result.a > 1"}})

    assert (made.status_code, made["Location"], made["ETag"]) == (201, f"{URL}/triage", '"1"')
    assert (made.json()["success"], made.json()["message"]) == (True, None)
    read = api.get(f"{URL}/triage")
    assert (read.json(), read["ETag"]) == (made.json()["agent"], '"1"')
    agent = read.json()
    assert agent["policy"]["condition"] == "result.a > 1"
    assert (agent["version"], agent["enabled"], agent["write"]["array_field"]) == (1, True, None)
    assert agent["created_at"] == agent["updated_at"]
    assert len(agent["created_at"]) == len("2026-11-20T15:33:46.268000")


def test_a_taken_id_is_400_in_the_contract_s_words(api: Client) -> None:
    post(api, "", BODY)
    again = post(api, "", BODY)
    assert again.status_code == 400
    assert again.json() == {"detail": "Agent with ID 'triage' already exists - {'agent_id': 'triage'}"}


def test_what_is_wrong_is_422_with_each_place(api: Client) -> None:
    wrong = {**BODY, "id": "B", "ai": {**BODY["ai"], "temperature": 9, "prompt": "{{"}, "tmp": 1}
    answer = post(api, "", wrong)

    assert answer.status_code == 422
    places = [problem["loc"] for problem in answer.json()["detail"]]
    assert places == [["body", "id"], ["body", "ai", "temperature"], ["body", "tmp"]]
    assert not Agent.objects.exists()
    bodies: tuple[object, ...] = ([], {}, "text")
    for body in bodies:
        assert post(api, "", body).status_code == 422
    deep = api.post(URL, data="[" * 100_000, content_type="application/json")
    assert (deep.status_code, deep.json()["detail"][0]["type"]) == (422, "json_invalid")


def test_lists_are_newest_first_and_their_totals_follow_the_filters(api: Client, make_spec: MakeSpec) -> None:
    for number, tags in enumerate((["a"], ["b", "c"], ["a", "b"])):
        parsed = make_spec(id=f"a{number}", tags=tags, enabled=number != 2)
        publishing.publish(parsed, by="tests", now=NOW + timedelta(seconds=number))
    publishing.publish(make_spec(id="gone", tags=["a"]), by="tests", now=NOW)
    publishing.archive("gone", now=NOW)

    def listed(**query: Any) -> tuple[list[str], int]:
        body = api.get(URL, query).json()
        return [agent["id"] for agent in body["agents"]], body["total"]

    assert listed() == (["a2", "a1", "a0"], 3)
    assert listed(skip=1, limit=1) == (["a1"], 3)
    assert listed(enabled_only="true") == (["a1", "a0"], 2)
    assert listed(tags="a") == (["a2", "a0"], 2)
    assert listed(tags="a, c", limit=1, skip=1) == (["a1"], 3)
    assert listed(tags="a", enabled_only="on") == (["a0"], 1)
    clamped = api.get(URL, {"skip": -3, "limit": 9_999}).json()
    assert (clamped["skip"], clamped["limit"]) == (0, 1_000)
    [first, *_] = api.get(URL).json()["agents"]
    assert (first["database"], first["collection"], first["model"]) == ("shop", "tickets", "sandbox-1")


@pytest.mark.parametrize(
    ("name", "value"),
    [("skip", "x"), ("limit", ""), ("skip", "10001"), ("enabled_only", "maybe"), ("tags", "\0")],
)
def test_a_wrong_query_is_422_and_names_the_field(api: Client, name: str, value: str) -> None:
    answer = api.get(URL, {name: value})
    assert (answer.status_code, answer.json()["detail"][0]["loc"]) == (422, ["query", name])


def test_a_change_is_merged_and_counts_as_a_version(api: Client) -> None:
    post(api, "", BODY)

    done = put(api, "/triage", {"name": "New", "ai": {"temperature": 0}, "description": None})

    agent = done.json()["agent"]
    assert (done.status_code, done["ETag"], agent["version"]) == (200, '"2"', 2)
    assert (agent["name"], agent["ai"]["temperature"], agent["ai"]["prompt"]) == (
        "New",
        0,
        BODY["ai"]["prompt"],
    )
    assert put(api, "/triage", {"enabled": False}).json()["agent"]["enabled"] is False
    assert put(api, "/triage", {"name": "Newer"}).json()["agent"]["enabled"] is False
    wrong = put(api, "/triage", {"write": {"target_field": "$x"}})
    assert (wrong.status_code, wrong.json()["detail"][0]["loc"]) == (422, ["body", "write", "target_field"])
    others: list[Any] = ["another", [], {}]
    for other in others:
        renamed = put(api, "/triage", {"id": other})
        assert (renamed.status_code, renamed.json()["detail"][0]["loc"]) == (422, ["body", "id"])


def test_what_somebody_else_changes_meanwhile_is_kept(api: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    post(api, "", BODY)
    meanwhile = iter([{"description": "by another"}])
    publish = publishing.publish

    def late(*args: Any, **given: Any) -> Any:
        for change in meanwhile:
            assert put(api, "/triage", change).status_code == 200
        return publish(*args, **given)

    monkeypatch.setattr("agents_app.api_agents.publish.publish", late)
    agent = put(api, "/triage", {"name": "New"}).json()["agent"]
    assert (agent["name"], agent["description"]) == ("New", "by another")


def test_if_match_refuses_what_was_changed_since(api: Client) -> None:
    etag = post(api, "", BODY)["ETag"]
    put(api, "/triage", {"name": "New"})

    for answer in (
        put(api, "/triage", {"name": "Mine"}, **{"If-Match": etag}),
        post(api, "/triage/enable", **{"If-Match": etag}),
        post(api, "/triage/disable", **{"If-Match": etag}),
        post(api, "/triage/rollback", {"version": 1}, **{"If-Match": etag}),
        api.delete(f"{URL}/triage", headers={"If-Match": etag}),
    ):
        assert answer.status_code == 412
    assert api.get(f"{URL}/triage").json()["name"] == "New"
    assert put(api, "/triage", {"name": "Mine"}, **{"If-Match": '"1", "2"'}).status_code == 200
    assert api.delete(f"{URL}/triage", headers={"If-Match": "*"}).status_code == 200


def test_deleting_archives_and_the_id_can_be_taken_again(api: Client) -> None:
    post(api, "", BODY)

    deleted = api.delete(f"{URL}/triage")

    assert deleted.json()["message"] == "Agent 'triage' deleted"
    assert (deleted.json()["success"], deleted.json()["agent"]) == (True, None)
    assert api.get(f"{URL}/triage").json() == {"detail": "Agent 'triage' not found"}
    assert AgentVersion.objects.count() == 1
    assert api.delete(f"{URL}/triage").status_code == 404
    assert post(api, "", BODY).status_code == 201


def test_switching_answers_with_the_agent(api: Client) -> None:
    post(api, "", BODY)

    off = post(api, "/triage/disable")
    assert (off.json()["message"], off.json()["agent"]["enabled"]) == ("Agent 'triage' disabled", False)
    on = post(api, "/triage/enable")
    assert (on.json()["agent"]["enabled"], on["ETag"]) == (True, '"3"')
    assert post(api, "/nobody/enable").status_code == 404
    assert post(api, "/no%00body/enable").status_code == 404


def test_validating_is_200_whatever_is_sent(api: Client) -> None:
    assert post(api, "/validate", BODY).json()["valid"] is True
    wrong = post(api, "/validate", {"id": "b1", "name": "x"})
    assert (wrong.status_code, wrong.json()["valid"], wrong.json()["agent_id"]) == (200, False, "b1")
    assert wrong.json()["errors"] == ["watch: is required", "ai: is required"]
    assert post(api, "/validate", [1]).json()["valid"] is False
    assert not Agent.objects.exists()

    post(api, "", BODY)
    assert post(api, "/triage/validate").json() == {
        "valid": True,
        "errors": [],
        "warnings": [],
        "agent_id": "triage",
    }


def test_versions_are_listed_compared_and_brought_back(api: Client) -> None:
    post(api, "", BODY)
    put(api, "/triage", {"name": "New"})

    listed = api.get(f"{URL}/triage/versions").json()
    assert [(one["number"], one["is_current"]) for one in listed["versions"]] == [(2, True), (1, False)]
    assert (listed["total"], listed["versions"][0]["published_by"]) == (2, "api:root")
    assert api.get(f"{URL}/triage/versions/1").json()["config"]["name"] == "Triage"
    lines = api.get(f"{URL}/triage/diff", {"from": 1}).json()["lines"]
    assert [line for line in lines if line["change"] in "+-"] == [
        {"change": "-", "text": "name: Triage"},
        {"change": "+", "text": "name: New"},
    ]

    post(api, "/triage/disable")
    back = post(api, "/triage/rollback", {"version": 1}).json()
    assert (back["agent"]["name"], back["agent"]["enabled"]) == ("Triage", False)
    assert AgentVersion.objects.count() == 2
    for path in ("/triage/versions/9", "/triage/versions/0", "/triage/diff?from=99999999999", "/no/versions"):
        assert api.get(URL + path).status_code == 404
    assert api.get(f"{URL}/triage/diff").status_code == 422
    assert post(api, "/triage/rollback", {"version": True}).status_code == 422


def test_a_version_of_another_release_is_a_conflict_and_does_not_hide_the_others(
    api: Client, make_spec: MakeSpec, unreadable: Agent
) -> None:
    publishing.publish(make_spec(id="other"), by="tests", now=NOW)

    assert api.get(f"{URL}/{unreadable.id}").status_code == 409
    listed = api.get(URL).json()["agents"]
    assert {agent["id"]: agent["model"] for agent in listed} == {"other": "sandbox-1", unreadable.id: ""}
    done = post(api, f"/{unreadable.id}/disable")
    assert (done.status_code, done.json()["agent"]) == (200, None)
    assert not publishing.get(unreadable.id).enabled


def test_permissions_are_kept(api: Client) -> None:
    post(api, "", BODY)
    assert Client().get(URL).status_code == 401
    assert viewer().get(URL).status_code == 403
    seer = viewer("view_agent")
    assert seer.get(f"{URL}/triage").status_code == 200
    assert post(seer, "/validate", BODY).status_code == 200
    for answer in (
        post(seer, "", {**BODY, "id": "b"}),
        put(seer, "/triage", {"name": "x"}),
        post(seer, "/triage/disable"),
        post(seer, "/triage/rollback", {"version": 1}),
        seer.delete(f"{URL}/triage"),
    ):
        assert answer.status_code == 403


def test_a_key_that_is_bound_to_agents_sees_and_makes_no_others(
    api: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    post(api, "", BODY)
    post(api, "", {**BODY, "id": "other"})
    monkeypatch.setattr(User, "agents", frozenset({"other"}), raising=False)

    assert [agent["id"] for agent in api.get(URL).json()["agents"]] == ["other"]
    assert api.get(f"{URL}/triage").status_code == 404
    assert put(api, "/triage", {"name": "x"}).status_code == 404
    assert post(api, "/triage/disable").status_code == 404
    assert api.get(f"{URL}/triage/versions").status_code == 404
    assert post(api, "", {**BODY, "id": "third"}).status_code == 403
    assert api.delete(f"{URL}/other").status_code == 200
