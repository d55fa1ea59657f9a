"""Holding runs back over HTTP: who may, what it says, and that nothing is recorded twice."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from agents_app.models import Agent
from executions_app import holds
from executions_app.models import Hold
from tests.integration.executions_app.conftest import NOW
from tests.integration.executions_app.triggers.conftest import client_of, person

URL = "/api/v1/dispatch"


@pytest.fixture
def api(agent: Agent) -> Client:
    """Somebody who may operate agents and look at holds."""
    user = person("alice", "operate_agent")
    user.user_permissions.add(Permission.objects.get(codename="view_hold"))
    return client_of(user)


def post(client: Client, url: str, body: object = None) -> Any:
    return client.post(url, data=body, content_type="application/json")


def test_all_agents_are_paused_and_resumed_with_who_and_why(api: Client) -> None:
    assert api.get(URL).json() == {"paused": False, "hold": None, "agents": []}

    paused = post(api, f"{URL}/pause", {"reason": "the bill"})

    assert paused.status_code == 200
    assert (paused.json()["hold"]["by"], paused.json()["hold"]["reason"]) == ("api:alice", "the bill")
    assert api.get(URL).json() == paused.json()
    assert api.get("/api/v1/stats").status_code == 403
    assert post(api, f"{URL}/resume").json()["paused"] is False
    row = Hold.objects.get()
    assert (row.lifted_by, row.scope) == ("api:alice", "")


def test_one_agent_is_paused_beside_all(api: Client) -> None:
    one = post(api, "/api/v1/agents/triage/pause", {"reason": "wrong prompt"}).json()
    assert (one["paused"], one["hold"]["reason"], one["all_paused"]) == (True, "wrong prompt", False)
    assert [agent["agent_id"] for agent in api.get(URL).json()["agents"]] == ["triage"]

    post(api, f"{URL}/pause")
    still = post(api, "/api/v1/agents/triage/resume").json()

    assert (still["paused"], still["hold"], still["all_paused"]) == (True, None, True)
    assert post(api, "/api/v1/agents/nobody/pause").status_code == 404


def test_what_is_paused_already_keeps_who_and_why(api: Client) -> None:
    first = holds.pause("triage", by="cli:bob", why="first", now=NOW)
    again = post(api, "/api/v1/agents/triage/pause", {"reason": "second"}).json()
    assert (again["hold"]["by"], again["hold"]["reason"]) == (first.by, "first")
    assert Hold.objects.count() == 1
    assert post(api, "/api/v1/agents/triage/resume").status_code == 200
    assert post(api, "/api/v1/agents/triage/resume").status_code == 200


@pytest.mark.parametrize(
    ("body", "place"),
    [([], ["body"]), ({"why": "x"}, ["body", "why"]), ({"reason": 5}, ["body", "reason"])],
)
def test_a_body_that_is_wrong_is_told_so(api: Client, body: object, place: list[str]) -> None:
    answer = post(api, f"{URL}/pause", body)
    assert (answer.status_code, answer.json()["detail"][0]["loc"]) == (422, place)
    assert not Hold.objects.exists()


def test_permissions_are_kept(agent: Agent) -> None:
    assert Client().get(URL).status_code == 401
    stranger = client_of(person("eve", "view_agent"))
    assert stranger.get(URL).status_code == 403
    assert post(stranger, f"{URL}/pause").status_code == 403
    assert post(stranger, "/api/v1/agents/triage/pause").status_code == 403
    assert not Hold.objects.exists()


def test_who_sees_some_agents_only_pauses_those_alone(api: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    holds.pause("triage", by="tests", why="", now=NOW)
    monkeypatch.setattr(User, "agents", frozenset({"other"}), raising=False)

    assert api.get(URL).json()["agents"] == []
    assert post(api, "/api/v1/agents/triage/resume").status_code == 404
    refused = post(api, f"{URL}/pause")
    assert (refused.status_code, "bound to some agents" in refused.json()["detail"]) == (403, True)
    monkeypatch.setattr(User, "agents", frozenset({"triage"}), raising=False)
    assert post(api, "/api/v1/agents/triage/resume").status_code == 200


def test_what_was_read_is_kept_for_a_second_and_no_longer(agent: Agent) -> None:
    assert holds.recent(NOW).of("triage") is None
    Hold.objects.create(scope="triage", by="another process", at=NOW)

    assert holds.recent(NOW + timedelta(seconds=0.9)).of("triage") is None
    held = holds.recent(NOW + timedelta(seconds=1))
    assert held.of("triage") is not None
    assert held.of("other") is None
