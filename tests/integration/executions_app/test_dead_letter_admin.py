"""Dead letters in the admin, for whoever may see, run again, or put aside."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from agents_app.models import Agent
from executions_app import admin, dead_letter_admin, listing
from executions_app.models import Attempt, Execution, Requeue, StrayMessage
from executions_app.states import Reason, Status
from tests.integration.executions_app.conftest import NOW, MakeEvent
from tests.integration.executions_app.letters import dead_run, dead_runs, stray
from tests.people import signed_in

RUNS = reverse("admin:executions_app_deadrun_changelist")
EXECUTIONS = reverse("admin:executions_app_execution_changelist")
MESSAGES = reverse("admin:executions_app_straymessage_changelist")


def somebody(name: str, *permissions: str) -> Client:
    """Somebody with these permissions for executions."""
    return signed_in(name, "view_agent", *(f"{one}_execution" for one in permissions))


@pytest.fixture
def operator(agent: Agent) -> Client:
    """Somebody who may decide."""
    return somebody("olga", "view", "requeue", "discard")


def act(client: Client, url: str, action: str, *ids: str, **more: str) -> str:
    data = {"action": action, "_selected_action": list(ids), **more}
    return client.post(url, data, follow=True).content.decode()


def test_the_list_has_failed_runs_and_no_others(operator: Client, make_event: MakeEvent) -> None:
    dead_run(make_event, "ticket-7", error="the key is wrong", reason="auth_failed")
    dead_run(make_event, "ticket-8")
    Execution.objects.filter(document_id="ticket-8").update(status=Status.SKIPPED)

    page = operator.get(RUNS).content.decode()

    assert "ticket-7" in page
    assert "the key is wrong" in page
    assert "ticket-8" not in page
    for other in ("reason=write_refused", "agent=nobody"):
        assert "ticket-7" not in operator.get(f"{RUNS}?{other}").content.decode()


def test_the_list_takes_the_same_number_of_queries_however_long_it_is(
    operator: Client, make_event: MakeEvent
) -> None:
    dead_run(make_event, 0)
    with CaptureQueriesContext(connection) as few:
        operator.get(RUNS)
    for number in range(1, 20):
        dead_run(make_event, number)
    with CaptureQueriesContext(connection) as many:
        operator.get(RUNS)

    assert len(many) == len(few)


def test_a_letter_is_found_by_the_same_text_as_elsewhere_however_many_runs_came_after_it(
    operator: Client, make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "REACH", 2)
    dead_run(make_event, "ticket-7", error="the key is wrong")
    dead_runs(make_event, 5)

    for text in ("ticket-", "key is WRONG"):
        page = operator.get(RUNS, {"q": text}).content.decode()
        assert "ticket-7" in page, text
        assert "doc-1" not in page, text


def test_running_again_is_asked_about_and_may_have_a_rate(operator: Client, make_event: MakeEvent) -> None:
    ids = dead_runs(make_event, 3)

    asked = act(operator, RUNS, "requeue", *ids)
    assert "3 selected. Each runs with all its tries" in asked
    assert set(Execution.objects.values_list("status", flat=True)) == {Status.FAILED}

    told = act(operator, RUNS, "requeue", *ids, confirmed="yes", rate="1")
    assert "Run again: 3." in told
    dues = list(
        Execution.objects.filter(reason=Reason.REQUEUED).order_by("due_at").values_list("due_at", flat=True)
    )
    assert [(due - dues[0]).total_seconds() for due in dues] == [0, 1, 2]


def test_what_is_put_aside_is_shown_when_asked_for_and_can_be_brought_back(
    operator: Client, make_event: MakeEvent
) -> None:
    id_ = dead_run(make_event, "ticket-7")

    assert "Discard: 1." in act(operator, RUNS, "discard", id_, confirmed="yes", why="a test")
    assert "ticket-7" not in operator.get(RUNS).content.decode()
    aside = f"{RUNS}?archived=1"
    page = operator.get(aside).content.decode()
    assert "ticket-7" in page
    assert "by olga: a test" in page
    assert "Bring back: 1." in act(operator, aside, "restore", id_, confirmed="yes")
    assert "ticket-7" in operator.get(RUNS).content.decode()


def test_messages_are_put_aside_and_not_run(operator: Client) -> None:
    id_ = stray(b"what is this")

    page = operator.get(MESSAGES).content.decode()
    assert "what is this" in page
    assert 'value="requeue"' not in page
    assert "Discard: 1." in act(operator, MESSAGES, "discard", id_, confirmed="yes")
    assert StrayMessage.objects.get().status == Status.DISCARDED
    assert (
        "what is this"
        in operator.get(reverse("admin:executions_app_straymessage_change", args=(id_,))).content.decode()
    )


def test_reasons_to_filter_by_are_those_of_agents_in_sight(
    operator: Client, make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead_run(make_event, reason="auth_failed")
    stray()
    for bound, of_runs, of_messages in (
        (None, True, True),
        ({"triage"}, True, False),
        ({"other"}, False, False),
    ):
        monkeypatch.setattr(User, "agents", bound, raising=False)
        letters, runs = (operator.get(url).content.decode() for url in (RUNS, EXECUTIONS))
        for choice, where, offered in (
            ("?reason=auth_failed", letters, of_runs),
            ("?reason=unknown_task", letters, of_messages),
            ("?reason=auth_failed", runs, of_runs),
            ("?agent=triage", runs, of_runs),
        ):
            assert (choice in where) is offered, (choice, bound)


@pytest.mark.parametrize("action", ["requeue", "discard", "restore"])
def test_a_viewer_is_offered_nothing_and_can_do_nothing(
    agent: Agent, make_event: MakeEvent, action: str
) -> None:
    id_ = dead_run(make_event)
    viewer = somebody("vera", "view")

    assert f'value="{action}"' not in viewer.get(RUNS).content.decode()
    act(viewer, RUNS, action, id_, confirmed="yes")

    assert Execution.objects.get().status == Status.FAILED
    assert viewer.post(reverse("admin:executions_app_deadrun_change", args=(id_,)), {}).status_code == 403


def test_whoever_sees_no_executions_sees_no_dead_letters(agent: Agent, make_event: MakeEvent) -> None:
    dead_run(make_event)
    outsider = somebody("otto")

    assert outsider.get(RUNS).status_code == 403
    assert outsider.get(MESSAGES).status_code == 403


def page_of(client: Client, id_: str, kind: str = "deadrun") -> str:
    return client.get(reverse(f"admin:executions_app_{kind}_change", args=(id_,))).content.decode()


def test_the_page_of_a_dead_letter_answers_what_why_and_when_with_the_prompt_and_the_answer(
    operator: Client, make_event: MakeEvent
) -> None:
    id_ = dead_run(make_event, "ticket-7", error="<b>no</b> room")
    Execution.objects.filter(id=id_).update(losses=2, traceback="in the code")
    for number, reply in ((1, '{"queue": 4}'), (2, '{"queue": 5}')):
        Attempt.objects.create(
            execution_id=id_,
            claim=1,
            number=number,
            input_hash="h",
            started_at=NOW,
            latency_ms=212.0,
            provider="sandbox",
            model="sandbox-1",
            prompt=f"Sort {number}",
            reply=reply,
            outcome="answer_invalid",
            problem="queue: must be text",
        )

    page = page_of(operator, id_)

    headings = ("Why", "What", "When", "Attempts", "Prompt and answer")
    assert [page.index(f"<h2>{heading}</h2>") for heading in headings] == sorted(
        page.index(f"<h2>{heading}</h2>") for heading in headings
    )
    for shown in (
        "&lt;b&gt;no&lt;/b&gt; room",
        "ticket-7",
        "shop.tickets",
        "2 workers in a row",
        "in the code",
    ):
        assert shown in page, shown
    last, _, earlier = page.partition("Earlier calls: 1")
    assert "Sort 2" in last
    assert "queue&quot;: 5" in last
    assert "Sort 1" in earlier
    assert "field-input_hash" not in page


def test_a_dead_letter_is_decided_about_on_its_page_after_a_question(
    operator: Client, make_event: MakeEvent
) -> None:
    id_ = dead_run(make_event)
    page = page_of(operator, id_)
    assert [f'value="{action}"' in page for action in ("requeue", "discard", "restore")] == [
        True,
        True,
        False,
    ]

    act(operator, RUNS, "discard", id_, confirmed="yes", why="a test")

    page = page_of(operator, id_)
    assert [f'value="{action}"' in page for action in ("requeue", "discard", "restore")] == [
        False,
        False,
        True,
    ]
    assert "by olga: a test" in page
    assert f'action="{RUNS}?archived=1"' in page
    assert "Bring back: 1." in act(operator, f"{RUNS}?archived=1", "restore", id_, confirmed="yes")

    assert "Each runs with all its tries" in act(operator, RUNS, "requeue", id_)
    assert "Run again: 1." in act(operator, RUNS, "requeue", id_, confirmed="yes")
    assert Requeue.objects.get().by == "olga"


def test_the_page_of_a_message_offers_no_running(operator: Client) -> None:
    page = page_of(operator, stray(b"what is this"), "straymessage")

    assert "what is this" in page
    assert [f'value="{action}"' in page for action in ("requeue", "discard")] == [False, True]


def test_whoever_may_only_look_is_offered_no_decision_on_a_page(agent: Agent, make_event: MakeEvent) -> None:
    page = page_of(somebody("vera", "view"), dead_run(make_event))

    assert not any(f'value="{action}"' in page for action in ("requeue", "discard", "restore"))


@pytest.mark.parametrize(("url", "action"), [(RUNS, "requeue"), (RUNS, "discard"), (EXECUTIONS, "run_again")])
def test_the_question_says_how_many_of_the_selected_are_left_out(
    operator: Client, make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch, url: str, action: str
) -> None:
    for module in (dead_letter_admin, admin):
        monkeypatch.setattr(module, "MOST_AT_ONCE", 2)
    ids = dead_runs(make_event, 5)

    asked = act(operator, url, action, *ids)

    assert "3 more are selected and left out: no more than 2 at a time" in asked
    assert "left out" not in act(operator, url, action, *ids[:2])
