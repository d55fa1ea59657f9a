"""Executions over HTTP, as the contract has them and beyond it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from agents_app import publish as publishing
from agents_app.models import Agent
from agents_app.spec import parse_spec
from executions_app import dead_letter_transitions, ledger, pages, transitions
from executions_app.listing import Wanted
from executions_app.models import Attempt, Execution
from executions_app.run import Settlement
from executions_app.states import Reason, Status
from tests.counting import count_all
from tests.integration.executions_app.conftest import NOW, MakeEvent
from tests.integration.executions_app.letters import dead_run
from tests.integration.executions_app.test_backfill_api import post
from tests.integration.executions_app.test_transitions import paid_for
from tests.people import signed_in

URL = "/api/v1/executions"
ROOM = {"triage": 100, "other": 100}
WRITTEN = Settlement(
    status=Status.COMPLETED, reason=Reason.WRITTEN, written=True, tokens_used=7, cost_nanousd=2_000_000
)
SKIPPED = Settlement(status=Status.SKIPPED, reason=Reason.UNCHANGED_INPUT)


@pytest.fixture
def api(agent: Agent) -> Client:
    """A client that may do everything."""
    return superuser("root")


@pytest.fixture
def other(agent: Agent) -> Agent:
    """A second agent."""
    spec = publishing.get("triage").current_version.spec  # type: ignore[union-attr]
    return publishing.publish(parse_spec({**spec, "id": "other"}), by="tests", now=NOW).agent


def superuser(name: str) -> Client:
    client = Client()
    client.force_login(User.objects.create(username=name, is_superuser=True))
    return client


def ended(make_event: MakeEvent, key: object, end: Settlement, *, at: datetime = NOW, **changes: Any) -> str:
    """Put an event on record, run it for two seconds and end it."""
    [id_] = ledger.record([make_event(key, **changes)], room=ROOM, now=at)
    run = transitions.claim(id_, worker="w1", now=at)
    assert run is not None
    if end.status == Status.COMPLETED:
        paid_for(run)
    transitions.settle(run, end, now=at + timedelta(seconds=2))
    return id_


def waiting(make_event: MakeEvent, key: object, *, at: datetime = NOW) -> str:
    """Put an event on record that waits for room."""
    ledger.record([make_event(key)], room={}, now=at)
    return str(Execution.objects.get(document_id=key, status=Status.PENDING).pk)


def bind(monkeypatch: pytest.MonkeyPatch, *agents: str) -> None:
    """Let all users see these agents only."""
    monkeypatch.setattr(User, "agents", frozenset(agents), raising=False)


def listed(api: Client, path: str = "", **query: Any) -> list[str]:
    return [row["id"] for row in api.get(URL + path, query).json()["executions"]]


def test_they_are_listed_newest_first_and_by_both_names_of_the_status(
    api: Client, make_event: MakeEvent
) -> None:
    old, new = (ended(make_event, key, WRITTEN, at=NOW + timedelta(hours=n)) for n, key in enumerate("ab"))
    waits = waiting(make_event, "c", at=NOW + timedelta(hours=9))

    body = api.get(URL, {"limit": 2}).json()
    assert [row["id"] for row in body["executions"]] == [waits, new]
    assert (body["total"], body["total_is_exact"], body["skip"], body["limit"]) == (3, True, 0, 2)
    assert listed(api, skip=2) == [old]
    assert listed(api, status="completed") == listed(api, status_filter="completed") == [new, old]
    assert listed(api, status="pending", status_filter="completed") == [waits]
    assert listed(api, agent_id="triage", reason="written") == [new, old]
    assert listed(api, agent_id="nobody") == []
    assert listed(api, "/agent/triage", limit=1) == [waits]
    assert api.get(f"{URL}/agent/nobody").status_code == 404


def test_a_run_has_the_fields_of_the_contract(api: Client, make_event: MakeEvent) -> None:
    id_ = ended(make_event, 17, WRITTEN)

    run = api.get(f"{URL}/{id_}").json()

    assert (run["id"], run["work_item_id"], run["document_id"]) == (id_, id_, "17")
    assert (run["status"], run["lifecycle_state"], run["reason"]) == ("completed", "written", "written")
    assert (run["started_at"], run["completed_at"]) == ("2026-11-20T12:00:00", "2026-11-20T12:00:02")
    assert (run["tokens_used"], run["cost_usd"], run["duration_ms"]) == (7, 0.002, 2_000)
    assert run["ai_response"]["parsed_content"] == {"a": 1}
    trace = api.get(f"{URL}/{id_}/trace").json()
    assert len(trace["calls"]) == 1
    assert api.get(f"{URL}/{id_[:8]}").json() == {"detail": f"Execution '{id_[:8]}' not found"}
    assert api.get(f"{URL}/no%00thing").status_code == 404


@pytest.mark.parametrize(
    ("name", "value"),
    [("status", "done"), ("status_filter", "x"), ("skip", "x"), ("limit", "1.5"), ("agent_id", "a\0")],
)
def test_a_wrong_query_is_422_and_names_the_field(api: Client, name: str, value: str) -> None:
    answer = api.get(URL, {name: value})
    assert (answer.status_code, answer.json()["detail"][0]["loc"]) == (422, ["query", name])


def test_a_long_list_is_not_counted_to_its_end(
    make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "COUNTED", 2)
    for key in range(3):
        ended(make_event, key, WRITTEN)

    found = pages.page(Wanted(), 0, 10)
    assert (len(found.rows), found.total, found.is_exact) == (3, 2, False)


def test_figures_are_complete_whether_counted_or_not(api: Client, make_event: MakeEvent) -> None:
    ended(make_event, "a", WRITTEN)
    dead_run(make_event, "b", error="no room")
    count_all(now=NOW + timedelta(hours=2))
    ended(make_event, "c", WRITTEN, at=NOW + timedelta(hours=3))
    put_aside = dead_run(make_event, "d", error="no more room", at=NOW + timedelta(hours=3))
    dead_letter_transitions.discard([put_aside], by="me", why="", now=NOW)
    ended(make_event, "e", SKIPPED, at=NOW + timedelta(hours=3))

    stats = api.get(f"{URL}/stats", {"hours": 720}).json()
    assert (stats["period_hours"], stats["total"]) == (720, 5)
    assert {status: found["count"] for status, found in stats["by_status"].items()} == {
        "completed": 2,
        "failed": 2,
        "skipped": 1,
    }
    assert stats["by_status"]["completed"]["avg_duration_ms"] == 2_000.0
    assert api.get(f"{URL}/stats?hours=9999&agent_id=triage").json() == stats
    assert api.get(f"{URL}/stats", {"hours": 0}).json()["period_hours"] == 1
    assert api.get(f"{URL}/stats", {"hours": "x"}).status_code == 422

    agent = api.get("/api/v1/agents/triage/stats").json()
    assert (agent["total_executions"], agent["successful_executions"], agent["failed_executions"]) == (
        5,
        2,
        2,
    )
    assert (agent["avg_duration_ms"], agent["last_error"]) == (2_000.0, "no room")
    assert agent["last_execution_at"] == "2026-11-20T15:00:02"
    assert api.get("/api/v1/agents/nobody/stats").status_code == 404


def test_tokens_and_cost_of_all_calls_add_up(api: Client, make_event: MakeEvent) -> None:
    for hour, key in enumerate("ab"):
        id_ = ended(make_event, key, WRITTEN, at=NOW + timedelta(hours=hour * 3))
        Attempt.objects.filter(execution_id=id_).update(
            prompt_tokens=4, completion_tokens=1, cost_nanousd=500_000_000, started_at=NOW
        )
        if not hour:
            count_all(now=NOW + timedelta(hours=2))

    agent = api.get("/api/v1/agents/triage/stats").json()
    assert (agent["total_tokens"], agent["total_cost_usd"]) == (10, 1.0)


def test_a_failed_run_runs_again_itself_and_its_end_is_one_that_clients_wait_for(
    api: Client, make_event: MakeEvent
) -> None:
    id_ = dead_run(make_event)

    again = post(api, f"{URL}/{id_}/retry")

    assert (again.status_code, again.json()["id"], again.json()["status"]) == (200, id_, "pending")
    assert post(api, f"{URL}/{id_}/retry").json()["id"] == id_
    transitions.enqueue([id_], now=NOW)
    run = transitions.claim(id_, worker="w1", now=NOW)
    assert run is not None
    transitions.settle(run, SKIPPED, now=NOW)
    told = api.get(f"{URL}/{id_}").json()
    assert (told["status"], told["lifecycle_state"], told["written"]) == ("completed", "write_skipped", False)
    assert api.get(URL).json()["executions"][0]["status"] == "skipped"


def test_a_run_that_nobody_asked_for_is_told_as_it_ended(api: Client, make_event: MakeEvent) -> None:
    id_ = ended(make_event, "a", SKIPPED)
    assert api.get(f"{URL}/{id_}").json()["status"] == "skipped"


def test_a_run_that_has_written_gets_a_successor_by_the_current_version(
    api: Client, make_event: MakeEvent
) -> None:
    id_ = ended(make_event, "a", WRITTEN, operation="update")
    spec = publishing.get("triage").current_version.spec  # type: ignore[union-attr]
    publishing.publish(parse_spec({**spec, "name": "New"}), by="tests", now=NOW)

    again = post(api, f"{URL}/{id_}/retry").json()

    assert again["id"] != id_
    assert (again["status"], again["document_id"], again["operation"]) == ("pending", "a", "update")
    assert again["agent_version"] == 2
    for waits in (id_, again["id"]):
        assert post(api, f"{URL}/{waits}/retry").json()["id"] == again["id"]
    asked = [
        step for step in api.get(f"{URL}/{again['id']}/trace").json()["timeline"] if step["moment"] == "asked"
    ]
    assert [step["title"] for step in asked] == ["asked for again by api:root"] * 2
    assert id_ in asked[0]["detail"]
    assert Execution.objects.get(id=id_).status == Status.COMPLETED
    assert Execution.objects.count() == 2


def test_what_cannot_run_again_says_why(api: Client, make_event: MakeEvent) -> None:
    behind, aside, done = (
        dead_run(make_event, "a"),
        dead_run(make_event, "b"),
        ended(make_event, "c", WRITTEN),
    )
    waiting(make_event, "a")
    dead_letter_transitions.discard([aside], by="me", why="", now=NOW)

    newer = post(api, f"{URL}/{behind}/retry")
    assert (newer.status_code, "a newer run" in newer.json()["detail"]) == (409, True)
    assert "bring it back" in post(api, f"{URL}/{aside}/retry").json()["detail"]
    publishing.archive("triage", now=NOW)
    gone = post(api, f"{URL}/{done}/retry")
    assert (gone.status_code, gone.json()) == (409, {"detail": "Its agent was deleted"})
    assert post(api, f"{URL}/{'f' * 32}/retry").status_code == 404


def test_what_waits_can_be_cancelled_and_what_has_begun_cannot(api: Client, make_event: MakeEvent) -> None:
    waits = waiting(make_event, "a")
    [queued] = ledger.record([make_event("b")], room=ROOM, now=NOW)

    for id_ in (waits, queued):
        answer = post(api, f"{URL}/{id_}/cancel").json()
        assert (answer["status"], answer["reason"]) == ("skipped", "cancelled")
        assert answer["completed_at"]
        *_, asked, _ = api.get(f"{URL}/{id_}/trace").json()["timeline"]
        assert (asked["moment"], asked["title"]) == ("asked", "cancelled by api:root")
    assert transitions.claim(queued, worker="w1", now=NOW) is None
    again = post(api, f"{URL}/{queued}/cancel")
    assert (again.status_code, Execution.objects.get(id=queued).status) == (409, "skipped")

    asked_for = waiting(make_event, "d")
    Execution.objects.filter(id=asked_for).update(requested=True)
    answer = post(api, f"{URL}/{asked_for}/cancel").json()
    assert answer == api.get(f"{URL}/{asked_for}").json(), "whoever waits for it is told the same by both"

    [begun] = ledger.record([make_event("c")], room=ROOM, now=NOW)
    assert transitions.claim(begun, worker="w1", now=NOW) is not None
    assert post(api, f"{URL}/{begun}/cancel").status_code == 409
    assert Execution.objects.get(id=begun).status == Status.RUNNING


def test_failed_runs_are_retried_by_filter(api: Client, make_event: MakeEvent) -> None:
    full, refused = dead_run(make_event, "a"), dead_run(make_event, "b", reason="provider_auth")

    report = post(api, f"{URL}/retry", {"filter": {"reason": "provider_auth"}}).json()

    assert report["moved"] == 1
    assert Execution.objects.get(id=refused).status == Status.PENDING
    assert Execution.objects.get(id=full).status == Status.FAILED
    assert post(api, f"{URL}/retry", {}).status_code == 422


def test_permissions_are_kept(agent: Agent, make_event: MakeEvent) -> None:
    id_ = dead_run(make_event)
    assert Client().get(URL).status_code == 401
    assert signed_in("eve").get(URL).status_code == 403
    viewer = signed_in("bob", "view_execution")
    assert viewer.get(f"{URL}/{id_}").status_code == 200
    assert viewer.get(f"{URL}/stats").status_code == 200
    for action in ("retry", "cancel"):
        assert post(viewer, f"{URL}/{id_}/{action}").status_code == 403
    assert post(signed_in("carol", "requeue_execution"), f"{URL}/{id_}/retry").status_code == 200


def test_a_key_that_is_bound_to_agents_sees_their_runs_alone(
    api: Client, make_event: MakeEvent, other: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = other.current_version_id
    mine = [
        ended(make_event, key, WRITTEN, at=NOW + timedelta(hours=n), agent_id="other", version_id=version)
        for n, key in enumerate("abc")
    ]
    hidden = ended(make_event, "a", WRITTEN)
    bind(monkeypatch, "other")

    body = api.get(URL, {"skip": 1, "limit": 1}).json()
    assert ([row["id"] for row in body["executions"]], body["total"]) == ([mine[1]], 3)
    assert listed(api, status="completed") == mine[::-1]
    assert api.get(f"{URL}/stats", {"hours": 720}).json()["total"] == 3
    for answer in (
        api.get(URL, {"agent_id": "triage"}),
        api.get(f"{URL}/agent/triage"),
        api.get(f"{URL}/stats", {"agent_id": "triage"}),
        api.get("/api/v1/agents/triage/stats"),
        api.get(f"{URL}/{hidden}"),
        api.get(f"{URL}/{hidden}/trace"),
        post(api, f"{URL}/{hidden}/retry"),
        post(api, f"{URL}/{hidden}/cancel"),
    ):
        assert answer.status_code == 404
    bind(monkeypatch)
    assert listed(api) == []


def test_times_have_no_offset(api: Client, make_event: MakeEvent) -> None:
    at = datetime(2026, 11, 20, 12, 0, 0, 5, tzinfo=UTC)
    id_ = ended(make_event, "a", WRITTEN, at=at)
    assert api.get(f"{URL}/{id_}").json()["started_at"] == "2026-11-20T12:00:00.000005"
