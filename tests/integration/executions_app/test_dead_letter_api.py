"""Dead letters over HTTP."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from agents_app.models import Agent
from executions_app import ledger
from executions_app.models import Execution
from executions_app.states import Reason, Status
from mongoclaw_project.access.principal import Principal
from tests.integration.executions_app.conftest import NOW, MakeEvent
from tests.integration.executions_app.letters import dead_run, dead_runs, stray
from tests.integration.executions_app.test_backfill_api import post
from tests.people import signed_in

URL = "/api/v1/dead-letters"
DECISIONS = {"requeue": "requeue_execution", "discard": "discard_execution", "restore": "discard_execution"}


@pytest.fixture
def api(agent: Agent) -> Client:
    """A client that may do everything."""
    return signed_in("alice", "view_execution", "requeue_execution", "discard_execution")


def ids(answer: Any) -> list[str]:
    return [letter["id"] for letter in answer.json()["dead_letters"]]


def test_they_are_listed_page_by_page_and_filtered(api: Client, make_event: MakeEvent) -> None:
    first, second, third = dead_runs(make_event, 3)
    message = stray()

    body = api.get(URL, {"skip": 1, "limit": 1}).json()

    assert ([letter["id"] for letter in body["dead_letters"]], body["total"]) == ([second], 4)
    assert (body["skip"], body["limit"]) == (1, 1)
    assert ids(api.get(URL, {"kind": "run"})) == [third, second, first]
    assert ids(api.get(URL, {"reason": "unknown_task"})) == [message]
    assert ids(api.get(URL, {"since": "2999-01-01T00:00:00Z"})) == []
    assert len(ids(api.get(URL, {"since": "-9999d"}))) == 4
    assert api.get(URL, {"limit": 100_000}).json()["limit"] == 1_000


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("agent_id", "nobody"),
        ("reason", "x"),
        ("kind", "x"),
        ("since", "soon"),
        ("skip", "many"),
        ("skip", "10001"),
        ("text", "a\0b"),
        ("archived", "maybe"),
    ],
)
def test_a_wrong_query_is_422_and_names_the_field(api: Client, name: str, value: str) -> None:
    wrong = api.get(URL, {name: value})
    assert (wrong.status_code, wrong.json()["detail"][0]["loc"]) == (422, ["query", name])


def test_one_is_shown_with_its_story(api: Client, make_event: MakeEvent) -> None:
    id_, message = dead_run(make_event, error="no room"), stray(b"what is this")

    run = api.get(f"{URL}/{id_[:8]}").json()
    assert (run["id"], run["execution"]["error"], run["message"]) == (id_, "no room", None)
    assert [step["title"] for step in run["execution"]["timeline"]][-1] == "failed: write_refused"
    assert api.get(f"{URL}/{message}").json()["message"]["excerpt"] == "what is this"
    assert api.get(f"{URL}/{'f' * 32}").status_code == 404
    assert api.get(f"{URL}/abcdef%00").status_code == 404


def test_they_run_again_are_put_aside_and_brought_back(api: Client, make_event: MakeEvent) -> None:
    one, two, three = dead_runs(make_event, 3)

    requeued = post(api, f"{URL}/requeue", {"ids": [one], "rate": 0.5}).json()
    assert (requeued["moved"], requeued["more"]) == (1, False)
    discarded = post(api, f"{URL}/discard", {"filter": {"reason": "write_refused"}, "why": "old\0"}).json()
    assert discarded["moved"] == 2
    assert ids(api.get(URL)) == []
    assert len(ids(api.get(URL, {"archived": "yes"}))) == 2
    [letter, _] = api.get(URL, {"archived": "true"}).json()["dead_letters"]
    assert (letter["discarded"]["by"], letter["discarded"]["why"]) == ("api:alice", "old\ufffd")
    assert post(api, f"{URL}/restore", {"all": True}).json()["moved"] == 2
    assert ids(api.get(URL)) == [three, two]


def test_whoever_was_interrupted_may_send_the_same_ids_again(api: Client, make_event: MakeEvent) -> None:
    one, two = dead_runs(make_event, 2)
    post(api, f"{URL}/requeue", {"ids": [one]})

    again = post(api, f"{URL}/requeue", {"ids": [one, two]})

    assert again.status_code == 200
    assert (again.json()["moved"], again.json()["left"][0]["cause"]) == (1, "changed")
    assert post(api, f"{URL}/requeue", {"ids": ["f" * 32]}).status_code == 404


def test_many_ids_are_looked_up_together(
    api: Client, make_event: MakeEvent, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    several = dead_runs(make_event, 60)

    with django_assert_max_num_queries(30):
        moved = post(api, f"{URL}/requeue", {"ids": several}).json()["moved"]

    assert moved == 60
    assert api.get(f"{URL}/{several[0]}").json()["status"] == "pending"


def test_what_is_left_is_told_with_its_cause(api: Client) -> None:
    message = stray()
    body = post(api, f"{URL}/requeue", {"all": True}).json()
    assert body["left"] == [
        {
            "cause": "message",
            "meaning": "it is a message, not a run: nobody knows what to run",
            "count": 1,
            "examples": [message],
        }
    ]


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({}, ["body"]),
        ([], ["body"]),
        ({"ids": ["a" * 32], "all": True}, ["body"]),
        ({"all": True, "why": "x"}, ["body", "why"]),
        ({"ids": [7]}, ["body", "ids"]),
        ({"filter": {"agent": "x"}}, ["body", "filter", "agent"]),
        ({"filter": {"kind": "x"}}, ["body", "filter", "kind"]),
        ({"filter": {"kind": ["run"]}}, ["body", "filter", "kind"]),
        ({"all": True, "rate": 0}, ["body", "rate"]),
        ({"all": True, "rate": 1e-300}, ["body", "rate"]),
        ({"filter": {"text": "a\0b"}}, ["body", "filter", "text"]),
        ({"ids": ["abcdef\0"]}, ["body", "ids"]),
        ({"all": True, "rate": "5/s"}, ["body", "rate"]),
        ({"filter": "x"}, ["body", "filter"]),
        ({"filter": {"agent_id": ""}}, ["body", "filter", "agent_id"]),
        ({"filter": {"reason": False}}, ["body", "filter", "reason"]),
        ({"filter": {"since": " "}}, ["body", "filter", "since"]),
        ({"filter": {"agent_id": None, "kind": None}}, ["body", "filter"]),
        ({"all": "yes"}, ["body", "all"]),
    ],
)
def test_a_body_that_is_wrong_or_says_nothing_moves_nothing(
    api: Client, make_event: MakeEvent, body: object, place: list[str]
) -> None:
    dead_run(make_event)

    refused = post(api, f"{URL}/requeue", body)

    assert refused.status_code == 422
    assert place in [problem["loc"] for problem in refused.json()["detail"]]
    assert Execution.objects.get().status == Status.FAILED


def test_one_call_moves_so_many_and_says_that_there_are_more(
    api: Client, make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("executions_app.dead_letter_request.MOST_MOVED", 2)
    dead_runs(make_event, 3)

    assert [post(api, f"{URL}/requeue", {"all": True}).json()["more"] for _ in range(2)] == [True, False]


def test_letters_that_must_stay_do_not_keep_later_ones_from_ever_being_reached(
    api: Client, make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("executions_app.dead_letter_request.MOST_MOVED", 2)
    for key in ("busy-1", "busy-2", "busy-3"):
        dead_run(make_event, key)
        ledger.record([make_event(key)], room={}, now=NOW)
    free = dead_runs(make_event, 3)

    answers = [post(api, f"{URL}/requeue", {"all": True}).json() for _ in range(2)]

    assert [(answer["moved"], answer["more"]) for answer in answers] == [(2, True), (1, False)]
    assert set(Execution.objects.filter(reason=Reason.REQUEUED).values_list("id", flat=True)) == set(free)


def test_they_are_exported_as_lines(api: Client, make_event: MakeEvent) -> None:
    id_, message = dead_run(make_event), stray()

    answer = api.get(f"{URL}/export")

    lines = [json.loads(line) for line in b"".join(answer).splitlines()]
    assert [line["id"] for line in lines] == [id_, message]
    assert lines[0]["execution"]["calls"] == []
    assert answer["Content-Type"] == "application/x-ndjson"


@pytest.mark.parametrize("verb", DECISIONS)
def test_each_decision_asks_for_its_permission(agent: Agent, make_event: MakeEvent, verb: str) -> None:
    dead_run(make_event)
    viewer = signed_in("viewer", "view_execution")
    allowed = signed_in("operator", DECISIONS[verb])

    assert post(viewer, f"{URL}/{verb}", {"all": True}).status_code == 403
    assert post(allowed, f"{URL}/{verb}", {"all": True}).status_code == 200
    for url in (URL, f"{URL}/export", f"{URL}/{'f' * 32}"):
        assert allowed.get(url).status_code == 403
        assert Client().get(url).status_code == 401


def bound_to(*agents: str) -> APIClient:
    """A client with a key that is bound to some agents."""
    client = APIClient()
    principal: Any = Principal("alice", "k1", lambda _: True, frozenset(agents))
    client.force_authenticate(principal)
    return client


def test_a_key_of_another_agent_sees_no_letter_and_moves_none(make_event: MakeEvent) -> None:
    id_, message = dead_run(make_event), stray()
    stranger, own = bound_to("other"), bound_to("triage")

    assert ids(own.get(URL)) == [id_]
    assert own.get(f"{URL}/{id_}").status_code == 200
    assert stranger.get(URL).json()["total"] == 0
    assert b"".join(stranger.get(f"{URL}/export")) == b""
    assert stranger.get(URL, {"agent_id": "triage"}).status_code == 422
    for letter, client in ((id_, stranger), (message, stranger), (message, own)):
        assert client.get(f"{URL}/{letter}").status_code == 404
        assert client.post(f"{URL}/discard", {"ids": [letter]}, format="json").status_code == 404
    for verb in DECISIONS:
        assert stranger.post(f"{URL}/{verb}", {"all": True}, format="json").json()["moved"] == 0
    assert Execution.objects.get().status == Status.FAILED
