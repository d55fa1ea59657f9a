"""What can be done from the console: asked about first, refused without the permission, and told about."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse

from agents_app.models import Agent
from executions_app import holds
from executions_app.console import actions, letter_actions, viewer
from executions_app.models import Discard, Execution, Hold, StrayMessage
from executions_app.states import Reason, Status
from tests.integration.executions_app.conftest import MakeEvent
from tests.integration.executions_app.letters import dead_run, dead_runs, stray
from tests.integration.executions_app.watchers_of_the_console import VIEW, panel, person

EVERY = tuple(actions.ACTIONS)
"""All that can be done, so that a new action is asked for by everybody too."""


def url(action: str) -> str:
    return reverse("console:action", args=[action])


@pytest.fixture
def olga(agent: Agent) -> Client:
    """Somebody who may do everything."""
    return person("olga", *viewer.ALL)


def told(answer: Any) -> str:
    assert "console:done" in answer.get("HX-Trigger", ""), answer.content.decode()
    return str(answer.content.decode())


def test_one_letter_is_asked_about_and_runs_again(olga: Client, make_event: MakeEvent) -> None:
    id_ = dead_run(make_event, "ticket-7")

    question = olga.get(url("requeue"), {"id": id_}).content.decode()
    assert "Run this dead letter again?" in question
    assert "triage on ticket-7" in question
    assert "may cost money" in question
    assert Execution.objects.get().status == Status.FAILED

    assert "Will run again: 1." in told(olga.post(url("requeue"), {"id": id_}))
    row = Execution.objects.get()
    assert (row.status, row.reason) == (Status.PENDING, Reason.REQUEUED)
    late = olga.post(url("requeue"), {"id": id_})
    assert (late.status_code, "not found" in told(late)) == (409, True)


def test_all_of_one_kind_run_again_at_a_rate(olga: Client, make_event: MakeEvent) -> None:
    dead_runs(make_event, 3)
    dead_run(make_event, "other", reason="answer_invalid")
    kind = {"agent": "triage", "reason": "write_refused"}

    assert "Run 3 dead letters again?" in olga.get(url("requeue"), kind).content.decode()
    assert "Will run again: 3." in told(olga.post(url("requeue"), {**kind, "rate": "1"}))

    rows = Execution.objects.filter(reason=Reason.REQUEUED).order_by("due_at")
    assert (rows[2].due_at - rows[0].due_at).total_seconds() == 2
    assert Execution.objects.filter(status=Status.FAILED).count() == 1


def test_a_rate_that_is_none_moves_nothing(olga: Client, make_event: MakeEvent) -> None:
    dead_runs(make_event, 2)
    for rate in ("0", "-1", "1.5", "many", "9" * 5000, "²"):
        answer = olga.post(url("requeue"), {"agent": "triage", "reason": "write_refused", "rate": rate})
        assert (answer.status_code, "rate must be a whole number" in told(answer)) == (409, True), rate
    assert Execution.objects.filter(status=Status.FAILED).count() == 2


def test_what_is_put_aside_says_by_whom_and_why(olga: Client, make_event: MakeEvent) -> None:
    id_, message = dead_run(make_event, "ticket-7"), stray(b"what", task="billing.charge")

    assert "brought back" in olga.get(url("discard"), {"id": id_}).content.decode()
    assert "Discarded: 1." in told(olga.post(url("discard"), {"id": id_, "why": "a <b>test</b>"}))
    assert "Discarded: 1." in told(olga.post(url("discard"), {"id": message}))

    by = Discard.objects.get(execution=id_)
    assert (by.by, by.why) == ("olga", "a <b>test</b>")
    assert StrayMessage.objects.get().status == Status.DISCARDED
    assert "No dead letters" in panel(olga, "letters")


def test_no_more_than_a_thousand_move_by_one_click(
    olga: Client, make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(letter_actions, "MOST", 2)
    dead_runs(make_event, 3)
    kind = {"agent": "triage", "reason": "write_refused"}
    assert "Discard the first 2 dead letters?" in olga.get(url("discard"), kind).content.decode()
    answer = told(olga.post(url("discard"), kind))
    assert "Discarded: 2." in answer
    assert "There are more" in answer


def test_an_agent_is_switched_off_and_on_and_that_is_on_record(olga: Client) -> None:
    assert "Disable triage?" in olga.get(url("disable"), {"agent": "triage"}).content.decode()
    assert Agent.objects.get().enabled
    assert "Disabled: triage." in told(olga.post(url("disable"), {"agent": "triage"}))
    assert not Agent.objects.get().enabled
    assert "Enable</button>" in panel(olga, "agents")
    assert "may cost money" in olga.get(url("enable"), {"agent": "triage"}).content.decode()
    assert "Enabled: triage." in told(olga.post(url("enable"), {"agent": "triage"}))
    assert Agent.objects.get().enabled
    entries = [(entry.object_id, entry.change_message) for entry in LogEntry.objects.order_by("id")]
    assert entries == [("triage", "Disabled in the console."), ("triage", "Enabled in the console.")]


def test_an_agent_is_paused_and_resumed_by_whom_and_why(olga: Client) -> None:
    assert "Pause triage?" in olga.get(url("pause"), {"agent": "triage"}).content.decode()
    assert not Hold.objects.exists()
    assert "Paused: triage." in told(
        olga.post(url("pause"), {"agent": "triage", "why": "a <b>bad</b> prompt"})
    )
    held = Hold.objects.get()
    assert (held.scope, held.by, held.why) == ("triage", "olga", "a <b>bad</b> prompt")
    shown = panel(olga, "agents")
    assert "Held by olga since" in shown
    assert "a &lt;b&gt;bad&lt;/b&gt; prompt" in shown
    assert "All agents are paused" not in shown

    again = told(olga.post(url("pause"), {"agent": "triage", "why": "another"}))
    assert "triage: held by olga since" in again
    assert "Held by olga since" in olga.get(url("resume"), {"agent": "triage"}).content.decode()
    assert "Resumed: triage." in told(olga.post(url("resume"), {"agent": "triage"}))
    assert "there was no pause to end" in told(olga.post(url("resume"), {"agent": "triage"}))
    assert Hold.objects.get().lifted_by == "olga"
    entries = [entry.change_message for entry in LogEntry.objects.order_by("id")]
    assert entries == ["Paused in the console.", "Resumed in the console."]


def test_all_agents_are_paused_and_every_page_says_so_until_they_are_resumed(olga: Client) -> None:
    page = reverse("console:page")
    holds.pause("triage", by="bob", why="", now=datetime.now(UTC))
    assert url("pause-all") in panel(olga, "agents")
    assert "All agents are paused" not in olga.get(page).content.decode()
    assert "Pause all agents?" in olga.get(url("pause-all")).content.decode()
    assert "Paused: all agents." in told(olga.post(url("pause-all"), {"why": "the bill"}))

    viewing = person("vera", *VIEW)
    for shown, may in ((olga, True), (viewing, False)):
        for text in (shown.get(page).content.decode(), panel(shown, "agents")):
            assert "All agents are paused." in text
            assert "olga paused them" in text
            assert ": the bill." in text
            assert (url("resume-all") in text) is may
    assert url("pause-all") not in panel(olga, "agents")
    assert "All agents are paused" not in person("fred", viewer.SEE_FIGURES).get(page).content.decode()
    assert "stays until they are" in olga.get(url("resume"), {"agent": "triage"}).content.decode()

    assert "Held by olga" in olga.get(url("resume-all")).content.decode()
    assert "Resumed: all agents." in told(olga.post(url("resume-all")))
    assert "All agents are paused" not in olga.get(page).content.decode()
    assert holds.in_force().agents.keys() == {"triage"}


def test_an_action_is_refused_without_its_permission_and_its_button_is_not_shown(
    agent: Agent, make_event: MakeEvent
) -> None:
    id_ = dead_run(make_event, "ticket-7")
    choice = {"id": id_, "agent": "triage"}
    for action in EVERY:
        needs = {"requeue": viewer.REQUEUE, "discard": viewer.DISCARD}.get(action, viewer.OPERATE)
        teammate = person(f"may all but {action}", *(one for one in viewer.ALL if one != needs))
        for answer in (teammate.get(url(action), choice), teammate.post(url(action), choice)):
            assert answer.status_code == 403
            assert "You have not the permission" in answer.content.decode()
        shown = panel(teammate, "letters") + panel(teammate, "agents")
        shown += teammate.get(reverse("console:run", args=[id_])).content.decode()
        assert f'hx-get="{url(action)}' not in shown
    assert Execution.objects.get().status == Status.FAILED
    assert Agent.objects.get().enabled
    assert not Hold.objects.exists()


def test_a_viewer_and_a_stranger_can_do_nothing(agent: Agent, make_event: MakeEvent) -> None:
    choice = {"id": dead_run(make_event, "ticket-7"), "agent": "triage"}
    viewing, nobody = person("vera", *VIEW), person("nora")
    for action in EVERY:
        assert viewing.post(url(action), choice).status_code == 403
        assert nobody.post(url(action), choice).status_code == 403
        answer = Client().post(url(action), choice)
        assert (answer.status_code, answer["HX-Redirect"]) == (401, "/ui/login?next=/ui/")
    assert Execution.objects.get().status == Status.FAILED
    assert Agent.objects.get().enabled
    assert not Hold.objects.exists()


def test_nothing_is_done_without_the_token_against_forgery(olga: Client, make_event: MakeEvent) -> None:
    id_ = dead_run(make_event, "ticket-7")
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = olga.cookies
    for action in EVERY:
        assert strict.post(url(action), {"id": id_, "agent": "triage"}).status_code == 403, action
    assert not Hold.objects.exists()
    assert Agent.objects.get().enabled
    assert Execution.objects.get().status == Status.FAILED


def test_what_is_not_there_is_a_reason_and_no_500(olga: Client) -> None:
    for action, choice in (
        ("requeue", {"id": "f" * 32}),
        ("discard", {"id": "x"}),
        ("requeue", {}),
        ("discard", {"agent": "triage", "reason": ""}),
        ("requeue", {"agent": "nobody", "reason": "write_refused"}),
        ("disable", {"agent": "nobody"}),
        ("pause", {"agent": "nobody"}),
        ("resume", {}),
        ("enable", {}),
        ("disable", {"agent": "a\0b"}),
    ):
        assert olga.get(url(action), choice).status_code == 404, (action, choice)
        assert olga.post(url(action), choice).status_code == 409, (action, choice)
    assert olga.get(url("erase")).status_code == 404
    assert olga.put(url("requeue")).status_code == 405


def test_who_is_bound_to_other_agents_can_do_nothing_to_these(
    olga: Client, make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    id_, message = dead_run(make_event, "ticket-7"), stray()
    monkeypatch.setattr(viewer, "visible_agents", lambda _user: frozenset({"other"}))
    for action, choice in (
        ("requeue", {"id": id_}),
        ("discard", {"id": id_}),
        ("discard", {"id": message}),
        ("requeue", {"agent": "triage", "reason": "write_refused"}),
        ("discard", {"agent": "", "reason": "unknown_task"}),
        ("disable", {"agent": "triage"}),
        ("pause", {"agent": "triage"}),
        ("resume", {"agent": "triage"}),
        ("pause-all", {}),
        ("resume-all", {}),
    ):
        assert olga.get(url(action), choice).status_code == 404, (action, choice)
        assert olga.post(url(action), choice).status_code == 409, (action, choice)
    assert url("pause-all") not in panel(olga, "agents")
    assert not Hold.objects.exists()
    assert Execution.objects.get().status == Status.FAILED
    assert StrayMessage.objects.get().status == Status.FAILED
    assert Agent.objects.get().enabled
