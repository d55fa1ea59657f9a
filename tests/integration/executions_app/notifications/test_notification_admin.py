"""The outbox in the admin: what was told, what waits and why, and trying again what was given up."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse

from executions_app.models import Notification
from executions_app.notifications import sending
from tests.integration.executions_app.conftest import NOW
from tests.people import signed_in

LIST = reverse("admin:executions_app_notification_changelist")
LONG_AGO = NOW - timedelta(days=2)


def made(id_: str, **changes: Any) -> Notification:
    values = {"event": "gap", "agent_id": "triage", "body": {"id": id_, "reasons": {"<b>": 1}}}
    times = {"created_at": LONG_AGO, "due_at": LONG_AGO}
    return Notification.objects.create(id=id_ * 32, **(values | times | changes))


@pytest.fixture
def given_up(transactional_db: None) -> Notification:
    """One of each state; returns the one that was given up."""
    made("a")
    made("b", sent_at=NOW, tries=1)
    return made("c", given_up_at=NOW, tries=150, problem="status 503", event="dead_letter")


def text(client: Client, url: str, **query: str) -> str:
    answer = client.get(url, query)
    assert answer.status_code == 200
    return str(answer.content.decode())


def again(client: Client, *ids: str, confirmed: bool = True) -> str:
    data = {"action": "send_again", "_selected_action": ids}
    answer = client.post(LIST, data | ({"confirmed": "yes"} if confirmed else {}), follow=True)
    assert answer.status_code == 200
    return str(answer.content.decode())


def page(row: Notification) -> str:
    return reverse("admin:executions_app_notification_change", args=(row.pk,))


def test_who_may_look_sees_states_tries_and_problems_and_can_do_nothing(given_up: Notification) -> None:
    viewer = signed_in("vera", "view_notification")
    listed = text(viewer, LIST)
    for told in ("waiting", "sent", "given up", "150", "status 503", "next try"):
        assert told in listed, told
    for query, rows in (
        ({"state": "given up"}, 1),
        ({"state": "waiting"}, 1),
        ({"event": "dead_letter"}, 1),
        ({"q": "bbbb"}, 1),
        ({"state": "no such"}, 3),
    ):
        assert f"{rows} notification" in text(viewer, LIST, **query), query
    shown = text(viewer, page(given_up))
    assert "&lt;b&gt;" in shown
    assert "Send again…" not in shown
    assert 'value="send_again"' not in listed
    again(viewer, given_up.pk)
    assert Notification.objects.get(pk=given_up.pk).given_up_at == NOW
    assert viewer.post(page(given_up), {"tries": "0"}).status_code == 403
    assert signed_in("otto", "view_execution").get(LIST).status_code == 403


def test_what_was_given_up_is_tried_once_more_after_asking(given_up: Notification) -> None:
    operator = signed_in("olga", "view_notification", "change_notification")
    assert "Send again…" in text(operator, page(given_up))
    question = again(operator, given_up.pk, confirmed=False)
    assert "dead_letter of triage" in question
    assert "MONGOCLAW_NOTIFICATIONS__URL" in question
    assert Notification.objects.filter(given_up_at=None).count() == 2

    assert "Will be sent again: 1." in again(operator, *Notification.objects.values_list("id", flat=True))
    row = Notification.objects.get(pk=given_up.pk)
    assert (row.given_up_at, row.tries) == (None, 150)
    assert row.due_at > NOW
    assert Notification.objects.get(pk="b" * 32).sent_at == NOW
    assert [entry.change_message for entry in LogEntry.objects.all()] == ["Sent again."]
    assert "None of the selected notifications was given up." in again(operator, given_up.pk)


def test_it_is_given_up_again_where_the_receiver_is_still_away(given_up: Notification) -> None:
    Notification.objects.exclude(pk=given_up.pk).delete()
    assert sending.send_again([given_up.pk], now=NOW) == 1
    assert sending.send_next("http://127.0.0.1:1/", "", now=NOW)
    row = Notification.objects.get(pk=given_up.pk)
    assert (row.given_up_at, row.tries) == (NOW, 151)
    assert sending.send_again([given_up.pk], now=NOW) == 1
    assert sending.send_again([given_up.pk], now=NOW) == 0
