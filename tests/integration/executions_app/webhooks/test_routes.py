"""Webhooks of other systems: who is let in, what happens, and that nothing happens twice."""

from __future__ import annotations

import hmac
import json
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from pymongo.collection import Collection
from pymongo.database import Database

from executions_app import holds
from executions_app.models import Delivery, Execution, Hold, TriggerKey
from executions_app.webhooks import deliveries
from executions_app.webhooks.signatures import sign
from mongoclaw_project.config import Loaded, load_settings, loading
from tests.integration.executions_app.triggers.conftest import client_of, person, publish_triage

pytestmark = [pytest.mark.sql, pytest.mark.django_db(transaction=True)]
Document = dict[str, Any]
SECRET = "a long and random secret"
URL = "/api/v1/webhooks/"
Configure = Callable[..., None]


@pytest.fixture
def configure(mongo_uri: str, monkeypatch: pytest.MonkeyPatch) -> Configure:
    """Set secrets: `configure(SECRET="…")`."""

    def configure(**secrets: str) -> None:
        names = {f"MONGOCLAW_WEBHOOKS__{name}": value for name, value in secrets.items()}
        settings = load_settings({"MONGOCLAW_MONGODB__URI": mongo_uri, **names})
        monkeypatch.setattr(loading, "_current", lambda: Loaded(settings, ()))

    return configure


@pytest.fixture
def tickets(configure: Configure, mongo_db: Database[Document]) -> Collection[Document]:
    """The collection that the agent `triage` watches; webhooks have a secret."""
    configure(SECRET=SECRET)
    publish_triage(mongo_db.name)
    return mongo_db.tickets


def post(route: str, body: object, client: Client | None = None, **headers: str) -> Any:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    sender = client or Client(raise_request_exception=False)
    return sender.post(URL + route, data=raw, content_type="application/json", headers=headers)


def signed(body: object, *, secret: str = SECRET, age: int = 0) -> dict[str, str]:
    second = int(time.time()) - age
    return {"X-MongoClaw-Signature": sign(secret, json.dumps(body).encode(), second=second)}


def hexadecimal(message: bytes) -> str:
    return hmac.new(SECRET.encode(), message, sha256).hexdigest()


def event(kind: str, **data: object) -> Document:
    return {"event_type": kind, "data": data}


@pytest.mark.parametrize(
    ("route", "setting"),
    [("github", "GITHUB_SECRET"), ("slack", "SLACK_SECRET"), ("custom", "SECRET"), ("alert", "SECRET")],
)
def test_a_route_without_a_secret_takes_nothing_and_names_the_setting(
    configure: Configure, route: str, setting: str
) -> None:
    configure()
    answer = post(route, event("pause_processing"), None, **signed(event("pause_processing")))
    assert answer.status_code == 401
    assert f"MONGOCLAW_WEBHOOKS__{setting}" in answer.json()["detail"]
    assert answer["WWW-Authenticate"]
    assert not Hold.objects.exists()


def test_github_is_believed_by_its_signature_only(configure: Configure) -> None:
    configure(GITHUB_SECRET=SECRET)
    body = json.dumps({"zen": "Keep it logically awesome."}).encode()
    right = {"X-Hub-Signature-256": f"sha256={hexadecimal(body)}", "X-GitHub-Event": "push"}

    assert post("github", body).status_code == 401
    assert post("github", body + b" ", None, **right).status_code == 401
    accepted = post("github", body, None, **right, **{"X-GitHub-Delivery": "1"})
    assert (accepted.status_code, accepted.json()) == (
        200,
        {"received": True, "message": "Processed push event"},
    )
    replayed = post("github", body, None, **right, **{"X-GitHub-Delivery": "another"})
    assert replayed.json() == accepted.json()
    assert Delivery.objects.count() == 1
    broken = post("github", b"{oops", None, **{"X-Hub-Signature-256": f"sha256={hexadecimal(b'{oops')}"})
    assert (broken.status_code, broken.json()) == (400, {"detail": "Invalid JSON payload"})


def test_slack_is_believed_within_five_minutes_and_gets_its_challenge(configure: Configure) -> None:
    configure(SLACK_SECRET=SECRET)

    def send(body: object, age: int = 0) -> Any:
        raw, second = json.dumps(body).encode(), int(time.time()) - age
        signature = f"v0={hexadecimal(f'v0:{second}:'.encode() + raw)}"
        headers = {"X-Slack-Signature": signature, "X-Slack-Request-Timestamp": str(second)}
        return post("slack", raw, None, **headers)

    assert send({"type": "url_verification", "challenge": "c4"}).json() == {"challenge": "c4"}
    assert send({"type": "event_callback", "event_id": "Ev1"}).json() == {"received": True, "message": None}
    assert send({"type": "event_callback", "event_id": "Ev1"}, age=2).status_code == 200
    assert send({"type": "event_callback", "event_id": "Ev1"}, age=400).status_code == 401
    assert Delivery.objects.count() == 1


def test_signed_events_do_what_they_say(configure: Configure) -> None:
    configure(SECRET=SECRET)

    def send(kind: str) -> Any:
        return post("custom", event(kind), None, **signed(event(kind))).json()["message"]

    assert send("reload_agents") == "Agent reload triggered"
    assert send("pause_processing") == "Processing paused"
    assert Hold.objects.get().by == "webhook:custom"
    assert holds.in_force().overall is not None
    assert send("resume_processing") == "Processing resumed"
    assert holds.in_force().overall is None
    assert send("something") == "Event 'something' received"
    alert = event("alert", alert_name="disk full", severity="high")
    assert post("alert", alert, None, **signed(alert)).json()["message"] == "Alert 'disk full' processed"
    assert (
        post("alert", event("x"), None, **signed(event("x"))).json()["message"] == "Alert 'unknown' processed"
    )


def test_a_pause_with_a_reason_of_a_megabyte_pauses_and_keeps_the_beginning_of_it(
    configure: Configure,
) -> None:
    configure(SECRET=SECRET)
    pause = event("pause_processing", reason="x" * 1_000_000)
    assert post("custom", pause, None, **signed(pause)).status_code == 200
    assert Hold.objects.get().why == "x" * holds.LONGEST_WHY


def test_a_pause_that_is_replayed_after_the_resume_does_nothing(configure: Configure) -> None:
    configure(SECRET=SECRET)
    pause = signed(event("pause_processing"))
    first = post("custom", event("pause_processing"), None, **pause)
    holds.resume(holds.ALL, by="tests", now=datetime.now(UTC))

    again = post("custom", event("pause_processing"), None, **pause)

    assert (again.status_code, again.json()) == (200, first.json())
    assert holds.in_force().overall is None


def test_a_replay_that_comes_at_the_same_moment_acts_once(configure: Configure) -> None:
    configure(SECRET=SECRET)
    headers, start = signed(event("pause_processing")), threading.Barrier(4)
    answers: list[int] = []

    def go() -> None:
        start.wait(10)
        try:
            answers.append(post("custom", event("pause_processing"), None, **headers).status_code)
        finally:
            connection.close()

    threads = [threading.Thread(target=go) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert answers == [200] * 4
    assert (Hold.objects.count(), Delivery.objects.count()) == (1, 1)


@pytest.mark.parametrize("headers", [signed(event("x"), secret="wrong"), signed(event("x"), age=400)])
def test_a_signature_that_is_wrong_or_old_is_refused(configure: Configure, headers: dict[str, str]) -> None:
    configure(SECRET=SECRET)
    assert post("custom", event("x"), None, **headers).status_code == 401
    assert not Delivery.objects.exists()


def test_a_signed_event_triggers_an_agent_once(tickets: Collection[Document]) -> None:
    body = event("trigger", agent_id="triage", document={"text": "The invoice is wrong"})
    headers = signed(body)

    first = post("custom", body, None, **headers)
    Delivery.objects.all().delete()  # as if the process had ended before it could remember
    again = post("custom", body, None, **headers)

    assert first.json()["message"] == "Agent 'triage' triggered"
    assert again.json() == first.json()
    assert Execution.objects.get().id == first.json()["execution_id"]
    assert tickets.count_documents({}) == 1
    wrong = event("trigger", agent_id="triage", dokument={})
    assert post("custom", wrong, None, **signed(wrong)).json()["detail"][0]["loc"] == [
        "body",
        "data",
        "dokument",
    ]


def test_a_captured_trigger_with_another_key_beside_it_makes_no_second_run(
    tickets: Collection[Document],
) -> None:
    body = event("trigger", agent_id="triage", document={"text": "The invoice is wrong"})

    refused = post("custom", body, None, **signed(body), **{"Idempotency-Key": "another"})

    assert (refused.status_code, refused.json()["detail"][0]["loc"]) == (422, ["header", "Idempotency-Key"])
    assert "data.idempotency_key" in refused.json()["detail"][0]["msg"]
    assert not Execution.objects.exists()


def test_a_signed_pause_is_taken_with_whatever_headers_a_relay_adds(configure: Configure) -> None:
    configure(SECRET=SECRET)
    body = event("pause_processing")

    answer = post("custom", body, None, **signed(body), **{"Idempotency-Key": "relay-1"})

    assert (answer.status_code, holds.in_force().overall is None) == (200, False)


def test_a_trigger_that_is_signed_anew_with_the_same_signed_key_is_the_same_run(
    tickets: Collection[Document],
) -> None:
    body = event("trigger", agent_id="triage", document={"text": "late"}, idempotency_key="order-7")

    first, again = (post("custom", body, None, **signed(body, age=age)) for age in (9, 0))

    assert first.json()["execution_id"] == again.json()["execution_id"]
    assert tickets.count_documents({}) == 1
    assert Delivery.objects.count() == 2


def test_whoever_may_operate_agents_needs_no_signature(
    tickets: Collection[Document], monkeypatch: pytest.MonkeyPatch
) -> None:
    operator = client_of(person("alice", "operate_agent"))

    assert post("custom", event("pause_processing")).status_code == 401
    assert post("alert", event("x"), client_of(person("eve", "view_agent"))).status_code == 403
    assert post("custom", event("pause_processing", reason="the bill"), operator).status_code == 200
    assert (Hold.objects.get().by, Hold.objects.get().why) == ("api:alice", "the bill")
    monkeypatch.setattr(User, "agents", frozenset({"other"}), raising=False)
    trigger = event("trigger", agent_id="triage", document={})
    assert post("custom", trigger, operator).status_code == 404
    assert post("custom", event("resume_processing"), operator).status_code == 403
    assert holds.in_force().overall is not None


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ([], ["body"]),
        ({"data": {}}, ["body", "event_type"]),
        ({"event_type": "x"}, ["body", "data"]),
        ({"event_type": "x", "data": {}, "timestamp": 5}, ["body", "timestamp"]),
        (event("trigger", document={}), ["body", "data", "agent_id"]),
        (event("trigger", agent_id="\ud800", document={}), ["body", "data", "agent_id"]),
        (event("trigger", agent_id="a\0b", document={}), ["body", "data", "agent_id"]),
        (event("trigger", agent_id="triage"), ["body", "data"]),
        (event("trigger", agent_id="triage", idempotency_key=7), ["body", "data", "idempotency_key"]),
        (event("trigger", agent_id="triage", idempotency_key="\ud800"), ["body", "data", "idempotency_key"]),
    ],
)
def test_a_body_that_is_wrong_is_told_so_by_its_place(
    tickets: Collection[Document], body: object, place: list[str]
) -> None:
    answer = post("custom", body, None, **signed(body))
    assert (answer.status_code, answer.json()["detail"][0]["loc"]) == (422, place)


@pytest.mark.parametrize("agent_id", ["no-such", "x" * 65])
def test_an_event_for_an_agent_that_there_is_not_is_told_so_and_leaves_no_key(
    tickets: Collection[Document], agent_id: str
) -> None:
    body = event("trigger", agent_id=agent_id, document={})
    assert post("custom", body, None, **signed(body)).status_code == 404
    assert not TriggerKey.objects.exists()


def test_what_is_too_large_is_not_read(configure: Configure, monkeypatch: pytest.MonkeyPatch) -> None:
    configure(SECRET=SECRET, GITHUB_SECRET=SECRET, SLACK_SECRET=SECRET)
    monkeypatch.setattr("executions_app.webhooks.api.MOST_BYTES", 10)
    for route in ("github", "slack", "custom", "alert"):
        answer = post(route, event("x"), None, **signed(event("x")))
        assert answer.status_code == 413


def test_deliveries_are_forgotten_after_a_month(configure: Configure) -> None:
    configure(SECRET=SECRET)
    post("custom", event("x"), None, **signed(event("x")))
    now = datetime.now(UTC)
    assert deliveries.forget(now=now + timedelta(days=29)) == 0
    assert deliveries.forget(now=now + timedelta(days=31)) == 1
