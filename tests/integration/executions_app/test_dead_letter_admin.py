"""Dead letters in the admin, for whoever may see, run again, or put aside."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from agents_app.models import Agent
from executions_app import listing
from executions_app.models import Execution, StrayMessage
from executions_app.states import Reason, Status
from tests.integration.executions_app.conftest import MakeEvent
from tests.integration.executions_app.letters import dead_run, dead_runs, stray
from tests.integration.executions_app.test_backfill_api import client_of

RUNS = reverse("admin:executions_app_deadrun_changelist")
MESSAGES = reverse("admin:executions_app_straymessage_changelist")


def staff(name: str, *permissions: str) -> Client:
    """A member of the staff with these permissions for executions."""
    client = client_of(name, *(f"{one}_execution" for one in permissions))
    from django.contrib.auth.models import User

    User.objects.filter(username=name).update(is_staff=True)
    return client


@pytest.fixture
def operator(agent: Agent) -> Client:
    """Somebody who may decide."""
    return staff("olga", "view", "requeue", "discard")


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
    rows = Execution.objects.filter(reason=Reason.REQUEUED)
    assert rows.filter(due_at__gt=datetime.now(UTC)).count() == 2


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


@pytest.mark.parametrize("action", ["requeue", "discard", "restore"])
def test_a_viewer_is_offered_nothing_and_can_do_nothing(
    agent: Agent, make_event: MakeEvent, action: str
) -> None:
    id_ = dead_run(make_event)
    viewer = staff("vera", "view")

    assert f'value="{action}"' not in viewer.get(RUNS).content.decode()
    act(viewer, RUNS, action, id_, confirmed="yes")

    assert Execution.objects.get().status == Status.FAILED
    assert viewer.post(reverse("admin:executions_app_deadrun_change", args=(id_,)), {}).status_code == 403


def test_whoever_sees_no_executions_sees_no_dead_letters(agent: Agent, make_event: MakeEvent) -> None:
    dead_run(make_event)
    outsider = staff("otto")

    assert outsider.get(RUNS).status_code == 403
    assert outsider.get(MESSAGES).status_code == 403
