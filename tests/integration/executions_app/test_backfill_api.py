from __future__ import annotations

import base64
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from pymongo.database import Database

from agents_app import publish as publishing
from agents_app.models import Agent
from executions_app.backfill_shapes import BackfillPage, DryRun
from executions_app.models import Backfill
from mongoclaw_project.config import Loaded, load_settings, loading
from tests.integration.executions_app.conftest import NOW
from tests.people import signed_in

Document = dict[str, Any]
URL = "/api/v1/backfills"


@pytest.fixture
def api(agent: Agent) -> Client:
    """A client that may do everything."""
    return signed_in("alice", "view_backfill", "add_backfill", "change_backfill")


def post(client: Client, url: str, body: object = None) -> Any:
    return client.post(url, data=body, content_type="application/json")


def test_a_backfill_is_asked_for_followed_and_steered(api: Client) -> None:
    made = post(
        api, URL, {"agent_id": "triage", "filter": {"at": {"$date": "2026-01-01T00:00:00Z"}}, "rate": 5}
    )
    assert made.status_code == 201
    one = f"{URL}/{made.json()['id']}"

    assert made.json()["origin"] == "api:alice"
    assert api.get(one).json()["filter"] == {"at": {"$date": "2026-01-01T00:00:00Z"}}
    assert post(api, f"{one}/pause").json()["status"] == "paused"
    assert post(api, f"{one}/resume").json()["status"] == "planned"
    assert post(api, f"{one}/cancel").json()["status"] == "cancelled"
    late = post(api, f"{one}/pause")
    assert late.status_code == 409
    assert "is cancelled; it would have to be planned or running" in late.json()["detail"]


def test_the_list_is_cut_as_the_contract_says(api: Client) -> None:
    for _ in range(3):
        post(api, URL, {"agent_id": "triage"})

    body = api.get(URL, {"skip": -3, "limit": 2}).json()

    assert (len(body["backfills"]), body["total"], body["skip"], body["limit"]) == (2, 3, 0, 2)
    BackfillPage.model_validate(body)
    assert api.get(URL, {"status": "running"}).json()["backfills"] == []
    wrong = api.get(URL, {"limit": "many"})
    assert (wrong.status_code, wrong.json()["detail"][0]["loc"]) == (422, ["query", "limit"])


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({}, ["body", "agent_id"]),
        ({"agent_id": 5}, ["body", "agent_id"]),
        ({"agent_id": "triage", "filters": {}}, ["body", "filters"]),
        ({"agent_id": "triage", "limit": True}, ["body", "limit"]),
        ({"agent_id": "triage", "rate": -1}, ["body", "rate"]),
        ({"agent_id": "triage", "filter": {"$where": "1"}}, ["body", "filter", "$where"]),
        ({"agent_id": "triage", "dry_run": "yes"}, ["body", "dry_run"]),
        ([], ["body"]),
    ],
)
def test_what_is_wrong_is_answered_with_its_place(api: Client, body: object, place: list[str]) -> None:
    answer = post(api, URL, body)

    assert answer.status_code == 422
    assert [problem["loc"] for problem in answer.json()["detail"]] == [place]
    assert not Backfill.objects.exists()


def test_a_body_that_is_no_json_is_answered_in_the_same_shape(api: Client) -> None:
    answer = api.post(URL, data="{oops", content_type="application/json")
    assert (answer.status_code, answer.json()["detail"][0]["type"]) == (422, "json_invalid")


def test_unknown_agents_and_backfills_are_not_found(api: Client) -> None:
    assert post(api, URL, {"agent_id": "nobody"}).json() == {"detail": "Agent 'nobody' not found"}
    assert api.get(f"{URL}/ffffffff").status_code == 404
    assert post(api, f"{URL}/ffffffff/pause").status_code == 404


def test_a_disabled_agent_is_a_conflict_with_the_remedy(api: Client) -> None:
    publishing.set_enabled("triage", False, now=NOW)
    answer = post(api, URL, {"agent_id": "triage"})
    assert answer.status_code == 409
    assert "mongoclaw agents enable triage" in answer.json()["detail"]


def test_nobody_gets_in_without_saying_who(agent: Agent) -> None:
    nobody = Client().get(URL)
    assert (nobody.status_code, nobody["WWW-Authenticate"]) == (401, "ApiKey")
    User.objects.create_superuser("root", password="correct horse")
    words = base64.b64encode(b"root:correct horse").decode()
    assert Client(headers={"Authorization": f"Basic {words}"}).get(URL).status_code == 200


def test_a_session_alone_steers_nothing_from_another_site(agent: Agent) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(User.objects.create(username="root", is_superuser=True))
    assert post(client, URL, {"agent_id": "triage"}).status_code == 403


def test_permissions_are_kept(agent: Agent) -> None:
    assert signed_in("eve").get(URL).status_code == 403
    viewer = signed_in("bob", "view_backfill")
    assert viewer.get(URL).status_code == 200
    assert post(viewer, URL, {"agent_id": "triage"}).status_code == 403
    asker = signed_in("carol", "view_backfill", "add_backfill")
    made = post(asker, URL, {"agent_id": "triage"})
    assert made.status_code == 201
    assert post(asker, f"{URL}/{made.json()['id']}/cancel").status_code == 403


def test_a_dry_run_estimates_and_plans_nothing(
    api: Client, agent: Agent, mongo_uri: str, mongo_db: Database[Document], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = load_settings({"MONGOCLAW_MONGODB__URI": mongo_uri, "MONGOCLAW_AI__SANDBOX_URL": "http://x"})
    monkeypatch.setattr(loading, "_current", lambda: Loaded(settings, ()))

    answer = post(api, URL, {"agent_id": "triage", "dry_run": True, "filter": {"_id": {"$in": []}}})

    assert answer.status_code == 200
    assert answer.json()["estimate"]["documents"] == 0
    assert answer.json()["estimate"]["counted"] == "exactly"
    DryRun.model_validate(answer.json())
    assert not Backfill.objects.exists()


def test_a_mongodb_that_is_away_is_said_so(api: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load_settings({"MONGOCLAW_MONGODB__URI": "mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=50"})
    monkeypatch.setattr(loading, "_current", lambda: Loaded(settings, ()))
    monkeypatch.setattr("executions_app.mongodb.PATIENCE_MS", 50)

    answer = post(api, URL, {"agent_id": "triage", "dry_run": True})

    assert answer.status_code == 503
