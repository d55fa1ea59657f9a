"""What a key cannot get at by a way around: other collections, results, the memory of the server."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client

from agents_app import publish as publishing
from agents_app.models import Agent
from agents_app.publish import publish
from agents_app.spec import parse_spec
from executions_app.models import Attempt, Execution
from tests.integration.executions_app.conftest import make_event as events_of
from tests.integration.executions_app.letters import dead_run
from tests.integration.mongoclaw_project.access.conftest import Given, client_with, key_of, member
from tests.integration.mongoclaw_project.access.routes import PUBLIC, SPEC, TABLE, Ids, named

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
ELSEWHERE: Any = [
    {"watch": {"collection": "salaries"}},
    {"watch": {"database": "personnel"}},
    {"write": {"target_collection": "salaries"}},
    {"write": {"target_database": "personnel"}},
]


def writer(*agents: str) -> Client:
    """Whoever may change these agents, and no others."""
    return client_with(key_of(member("owner", "admin"), "read", "write", agents=agents))


def put(client: Client, changes: Any) -> Any:
    return client.put("/api/v1/agents/triage", changes, content_type="application/json")


@pytest.mark.django_db
@pytest.mark.parametrize("change", ELSEWHERE)
def test_a_key_bound_to_an_agent_cannot_point_it_at_another_collection(agent: Agent, change: Any) -> None:
    answer = put(writer("triage"), change)
    assert answer.status_code == 403
    assert "may not point one at" in answer.json()["detail"]
    agent.refresh_from_db()
    assert agent.revision == 1
    free = client_with(key_of(member("other", "admin"), "read", "write"))
    assert put(free, change).status_code == 200


@pytest.mark.django_db
def test_such_a_key_can_change_all_else(agent: Agent) -> None:
    assert put(writer("triage"), {"name": "New", "write": {"target_field": "found"}}).status_code == 200


@pytest.mark.django_db
def test_such_a_key_cannot_go_back_to_where_the_agent_worked_once(agent: Agent) -> None:
    publish(parse_spec({**SPEC, "watch": {"database": "shop", "collection": "orders"}}), by="tests", now=NOW)
    url = "/api/v1/agents/triage/rollback"
    answer = writer("triage").post(url, {"version": 1}, content_type="application/json")
    assert (answer.status_code, "shop.tickets (watch)" in answer.json()["detail"]) == (403, True)


@pytest.mark.django_db
def test_such_a_key_creates_agents_where_its_others_work_and_nowhere_else(agent: Agent) -> None:
    bound = writer("triage", "second")
    new = {**SPEC, "id": "second"}
    away = {**new, "watch": {"database": "shop", "collection": "salaries"}}
    assert bound.post("/api/v1/agents", away, content_type="application/json").status_code == 403
    assert bound.post("/api/v1/agents", new, content_type="application/json").status_code == 201
    # An agent that was deleted reaches nothing.
    for deleted in ("triage", "second"):
        publishing.archive(deleted, now=NOW)
    assert bound.post("/api/v1/agents", new, content_type="application/json").status_code == 403


def answered_run(agent: Agent) -> str:
    """Put a failed run with an answer of the model on record."""
    run = dead_run(events_of.__wrapped__(agent))  # type: ignore[attr-defined]
    Attempt.objects.create(
        execution_id=run,
        claim=1,
        number=1,
        started_at=NOW,
        provider="sandbox",
        model="sandbox-1",
        prompt="secret prompt",
        reply="secret reply",
        answer={"is": "secret"},
        outcome="ok",
        latency_ms=1.0,
    )
    return run


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("act", ["retry", "cancel"])
def test_a_key_that_may_only_operate_sees_no_result_of_what_it_runs_again(agent: Agent, act: str) -> None:
    owner = member("owner", "admin")
    run = answered_run(agent)
    url = f"/api/v1/executions/{run}/retry"

    blind = client_with(key_of(owner, "operate"))
    told = blind.post(url).json()
    if act == "cancel":
        told = blind.post(url.replace("retry", "cancel")).json()

    assert told["id"] == run
    assert (told["ai_response"], told["error"], told["error_type"]) == (None, None, None)
    assert "secret" not in json.dumps(told)
    assert "no room" not in json.dumps(told)
    seeing = client_with(key_of(owner, "operate", "read"))
    assert seeing.get(url.removesuffix("/retry")).json()["ai_response"]["content"] == "secret reply"


@pytest.mark.django_db
def test_such_a_key_switches_agents_and_does_not_see_their_prompts(ids: Ids) -> None:
    owner = member("owner", "admin")
    url = "/api/v1/agents/triage/enable"
    told = client_with(key_of(owner, "operate")).post(url).json()
    assert (told["success"], told["agent"]) == (True, None)
    assert client_with(key_of(owner, "operate", "read")).post(url).json()["agent"]["id"] == "triage"


@pytest.mark.django_db
def test_such_a_key_cannot_learn_from_an_estimate_what_is_in_documents(ids: Ids) -> None:
    asked = {"agent_id": "triage", "filter": {"iban": {"$regex": "^DE"}}, "dry_run": True}
    owner = member("owner", "admin")
    refused, told = (
        client_with(key_of(owner, *scopes)).post("/api/v1/backfills", asked, "application/json")
        for scopes in (["operate"], ["operate", "read"])
    )
    assert (refused.status_code, told.status_code) == (403, 200)


class Unread:
    """A body that nobody may read."""

    def read(self, *_: object) -> bytes:
        raise AssertionError("the body was read")

    readline = read


@pytest.mark.django_db
def test_a_body_that_is_too_large_is_refused_before_it_is_read_on_every_route(ids: Ids, given: Given) -> None:
    given(SECURITY__API_KEYS="a key of the settings of 32 signs", API__MAX_BODY_BYTES="5000000")
    client = client_with("a key of the settings of 32 signs")
    refused = 0
    for line, rule in TABLE.items():
        if rule.level is PUBLIC or rule.body is None or line.startswith("GET"):
            continue
        _, _, route = named(line, ids).partition(" ")
        method = line.partition(" ")[0]
        answer = client.generic(
            method,
            f"/{route}",
            "{}",
            content_type="application/json",
            **{"wsgi.input": Unread(), "CONTENT_LENGTH": "5000001"},  # type: ignore[arg-type]
        )
        assert answer.status_code == 413, (line, answer.content)
        if "webhooks/" not in line:
            assert "5,000,000 are taken at most" in answer.json()["detail"]
            assert "MONGOCLAW_API__MAX_BODY_BYTES" in answer.json()["detail"]
        refused += 1
    assert refused >= 10


@pytest.mark.django_db
def test_a_body_at_the_limit_is_read(ids: Ids, given: Given) -> None:
    given(SECURITY__API_KEYS="a key of the settings of 32 signs", API__MAX_BODY_BYTES="1024")
    client = client_with("a key of the settings of 32 signs")
    body = json.dumps({"name": "New"}).ljust(1024)
    assert client.put("/api/v1/agents/triage", body, "application/json").status_code == 200
    assert client.put("/api/v1/agents/triage", body + " ", "application/json").status_code == 413
    assert Execution.objects.exists()
