"""Trying an agent on a document, and a policy on past runs: everything is shown and nothing is written."""

from __future__ import annotations

import html
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from bson import ObjectId
from django.test import Client
from pymongo.database import Database
from redis import Redis

from agents_app import policies
from agents_app.models import Agent, AgentVersion
from agents_app.publish import publish
from agents_app.spec import dump_yaml, parse_policy, parse_spec
from executions_app import ledger, transitions
from executions_app.models import Attempt, Execution
from executions_app.run import Settlement
from executions_app.states import Reason, Status
from mongoclaw_project.config import Loaded, load_settings, loading
from sandbox.model.client import ModelControl
from tests.integration.executions_app.conftest import NOW, MakeEvent
from tests.people import signed_in

pytestmark = pytest.mark.django_db(transaction=True)

TRY = "/admin/try/agent/"
PREVIEW = "/admin/try/policy/"
ID = ObjectId("65f000000000000000000001")

Page = Callable[..., str]


@pytest.fixture
def bob() -> Client:
    """May change agents and look at policies and runs."""
    return signed_in("bob", "change_agent", "view_policy", "view_execution")


@pytest.fixture
def tickets(
    mongo_db: Database[Any],
    mongo_uri: str,
    redis_url: str,
    sandbox_model: ModelControl,
    monkeypatch: pytest.MonkeyPatch,
) -> Database[Any]:
    """A database with two open tickets and a newer closed one, and settings that lead to it."""
    mongo_db.tickets.insert_one({"_id": ID, "status": "open", "text": "My first kettle"})
    mongo_db.tickets.insert_one({"status": "open", "text": "My newest kettle"})
    mongo_db.tickets.insert_one({"status": "closed", "text": "My closed kettle"})
    settings = load_settings(
        {
            "MONGOCLAW_MONGODB__URI": mongo_uri,
            "MONGOCLAW_REDIS__URL": redis_url,
            "MONGOCLAW_AI__SANDBOX_URL": sandbox_model.url,
        }
    )
    monkeypatch.setattr(loading, "_current", lambda: Loaded(settings, ()))
    return mongo_db


def _text(database: Database[Any], **changes: Any) -> str:
    schema = {
        "type": "object",
        "properties": {"queue": {"type": "string", "enum": ["billing", "technical"]}},
        "required": ["queue"],
        "additionalProperties": False,
    }
    data = {
        "id": "support",
        "name": "Support",
        "watch": {"database": database.name, "collection": "tickets", "filter": {"status": "open"}},
        "ai": {
            "provider": "sandbox",
            "model": "sandbox-1",
            "prompt": "Sort: {{ document.text }}",
            "response_schema": schema,
        },
        **changes,
    }
    return dump_yaml(parse_spec(data).spec, managed=False)


def _try(client: Client, text: str, source: str = "newest", **more: str) -> str:
    response = client.post(TRY, {"specification": text, "source": source, **more})
    assert response.status_code == 200
    return html.unescape(response.content.decode())


def test_the_prompt_is_rendered_for_the_newest_document_that_matches_and_no_model_is_called(
    bob: Client, tickets: Database[Any], sandbox_model: ModelControl
) -> None:
    page = _try(bob, _text(tickets))
    assert "Sort: My newest kettle" in page
    assert "Ask the sandbox" in page
    assert sandbox_model.calls()["total"] == 0


def test_a_call_shows_answer_policy_cost_and_update_and_writes_nothing(
    bob: Client, tickets: Database[Any], sandbox_model: ModelControl
) -> None:
    before = list(tickets.tickets.find())

    page = _try(bob, _text(tickets), "id", document_id=str(ID), call="yes")

    assert sandbox_model.log()[0]["prompt"].endswith("Sort: My first kettle")
    assert re.search(r'"\$set": \{\s+"queue": "(billing|technical)"', page)
    assert "None: every answer is written" in page
    assert re.search(r"cost \$0\.00, counted towards the agent's limits", page)
    assert list(tickets.tickets.find()) == before
    assert (Execution.objects.count(), Attempt.objects.count(), Agent.objects.count()) == (0, 0, 0)


def test_a_policy_that_writes_nothing_shows_no_update(bob: Client, tickets: Database[Any]) -> None:
    page = _try(bob, _text(tickets, policy={"condition": "result.queue == 'none'"}), call="yes")
    assert "Nothing would be written (policy_skip)" in page
    assert "Update that would be made" not in page


def test_a_pasted_document_is_tried_without_mongodb(
    bob: Client, tickets: Database[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    page = _try(bob, _text(tickets), "pasted", pasted='{"text": "Pasted <kettle>"}', call="yes")
    assert "Sort: Pasted <kettle>" in page
    assert '"$set"' in page
    assert "not JSON" in _try(bob, _text(tickets), "pasted", pasted="{")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"source": "id", "document_id": "nobody"}, "has the _id nobody"),
        ({"source": "id", "document_id": '{"$regex": "."}'}, "has the _id"),
        ({"source": "pasted", "pasted": '{"no": "text"}'}, "document.text"),
    ],
)
def test_what_cannot_be_tried_is_said(
    bob: Client, tickets: Database[Any], more: dict[str, str], said: str
) -> None:
    assert said in _try(bob, _text(tickets), **more)


def test_a_collection_without_a_matching_document_is_said(bob: Client, tickets: Database[Any]) -> None:
    tickets.tickets.drop()
    assert "matches watch.filter" in _try(bob, _text(tickets))


def test_a_tried_call_counts_towards_the_agents_limits(
    bob: Client, tickets: Database[Any], redis_url: str, sandbox_model: ModelControl
) -> None:
    text = _text(tickets, execution={"rate_limit_requests": 1, "max_concurrency": 1})
    assert "counted towards" in _try(bob, text, call="yes")
    page = _try(bob, text, call="yes")
    assert "agent_rate_limit" in page
    assert sandbox_model.calls()["total"] == 1
    with Redis.from_url(redis_url, decode_responses=True) as redis:
        assert redis.zcard("mongoclaw:limits:leases:support") == 0


def test_a_model_that_only_workers_call_is_named_with_the_command(
    bob: Client, tickets: Database[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-secret-1234")
    ai = {"provider": "anthropic", "model": "claude-sonnet-4", "prompt": "Sort: {{ document.text }}"}
    text = _text(tickets, ai=ai, write={"target_field": "ai"})
    page = _try(bob, text, call="yes")
    assert "mongoclaw test agent support" in page
    assert 'name="call"' not in page
    assert "sk-secret-1234" not in page


def test_the_pages_load_no_litellm() -> None:
    code = (
        "import os, sys, django; os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'mongoclaw_project.settings');"
        "django.setup(); import mongoclaw_project.urls; sys.exit('litellm' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0


def test_only_those_who_may_change_agents_try_them(tickets: Database[Any]) -> None:
    alice = signed_in("alice", "view_agent", "add_agent", "view_execution")
    assert alice.post(TRY, {"specification": _text(tickets), "source": "newest"}).status_code == 403
    assert Client().get(TRY).status_code == 302


def _answered(make_event: MakeEvent, key: str, answer: Any, *, written: bool = True) -> str:
    [id_] = ledger.record([make_event(key)], room={"triage": 100, "support": 100}, now=NOW)
    run = transitions.claim(id_, worker="w", now=NOW)
    assert run is not None
    Attempt.objects.create(
        execution_id=id_,
        claim=1,
        number=1,
        input_hash="x",
        started_at=NOW,
        latency_ms=1,
        provider="sandbox",
        model="sandbox-1",
        prompt="x",
        answer=answer,
        outcome="valid",
    )
    end = (Status.COMPLETED, str(Reason.WRITTEN)) if written else (Status.SKIPPED, "policy_skip")
    settlement = Settlement(status=end[0], reason=end[1], written=written, model_calls=1)
    transitions.settle(run, settlement, now=NOW)
    return id_


def _preview(client: Client, *lines: str, agents: str = "triage", limit: str = "100") -> str:
    text = "\n".join(["name: sure", *lines])
    response = client.post(PREVIEW, {"specification": text, "agents": [agents], "limit": limit})
    assert response.status_code == 200
    page = html.unescape(response.content.decode())
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.partition('id="content"')[2]))


def test_a_preview_counts_what_a_policy_would_have_done_against_what_was_done(
    bob: Client, agent: Agent, make_event: MakeEvent
) -> None:
    _answered(make_event, "a", {"score": 9})
    _answered(make_event, "b", {"score": 1})
    _answered(make_event, "c", {"score": 9}, written=False)
    _answered(make_event, "d", None)
    rows = list(Execution.objects.order_by("id").values())

    page = _preview(bob, "condition: result.score > 5")

    assert "2 of 4 runs would have ended differently" in page
    assert "written not written: policy_skip 1 " in page
    assert "not written: policy_skip written 1 " in page
    assert "cannot be told: the answer is erased 1" in page
    assert list(Execution.objects.order_by("id").values()) == rows
    assert AgentVersion.objects.count() == 1


def test_a_preview_asks_documents_as_they_are_now_and_says_so(
    bob: Client, agent: Agent, make_event: MakeEvent, tickets: Database[Any]
) -> None:
    other = publish(
        parse_spec(
            {
                "id": "support",
                "name": "Support",
                "watch": {"database": tickets.name, "collection": "tickets"},
                "ai": {"prompt": "x"},
                "write": {"target_field": "ai"},
            }
        ),
        by="ada",
        now=NOW,
    ).agent
    place = {"database": tickets.name, "agent_id": other.pk, "version_id": other.current_version_id}
    keys = {"open": ID, "gone": ObjectId()}
    for key in keys.values():
        _answered(lambda key_: replace(make_event(key_), **place), key, {"score": 9})  # type: ignore[arg-type]

    page = _preview(bob, "condition: document.status == 'closed'", agents="support")

    assert "as they are now" in page
    assert "written not written: policy_skip 1 " in page
    assert "cannot be told: the document is gone 1" in page


def test_a_preview_looks_at_no_more_runs_than_asked(bob: Client, agent: Agent, make_event: MakeEvent) -> None:
    for number in range(5):
        _answered(make_event, f"doc-{number}", {"score": number})
    assert "of 2 runs" in _preview(bob, "action: enrich", limit="2")
    assert "less than or equal to 500" in _preview(bob, "action: enrich", limit="501")


def test_a_preview_begins_with_the_policy_and_the_agents_that_use_it(bob: Client, agent: Agent) -> None:
    policies.publish(parse_policy({"name": "sure", "condition": "result.a == 1"}), by="ada", now=NOW)
    spec = {
        "id": "user",
        "name": "User",
        "watch": {"database": "shop", "collection": "tickets"},
        "ai": {"prompt": "x"},
        "write": {"target_field": "ai"},
        "policy": {"use": "sure"},
    }
    publish(parse_spec(spec), by="ada", now=datetime(2026, 11, 20, tzinfo=UTC))
    page = bob.get(f"{PREVIEW}?policy=sure").content.decode()
    assert "condition: result.a == 1" in page
    assert '<option value="user" selected>' in page
    assert '<option value="triage">' in page
    assert bob.get(f"{PREVIEW}?policy=nobody").status_code == 404
    assert bob.get(f"{PREVIEW}?agent=user").status_code == 200


@pytest.mark.parametrize("missing", ["view_policy", "view_execution"])
def test_a_preview_needs_the_right_to_see_policies_and_runs(agent: Agent, missing: str) -> None:
    eve = signed_in("eve", *({"view_policy", "view_execution"} - {missing}))
    assert eve.get(f"{PREVIEW}?agent=triage").status_code == 403
    assert eve.post(PREVIEW, {"specification": "name: x", "limit": "1"}).status_code == 403
