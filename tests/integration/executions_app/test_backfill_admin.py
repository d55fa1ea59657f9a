from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from agents_app import publish as publishing
from agents_app.models import Agent
from executions_app import backfills
from executions_app.models import Backfill
from tests.integration.executions_app.asked_first import confirm_all_across
from tests.integration.executions_app.conftest import NOW
from tests.people import signed_in

LIST = "/admin/executions_app/backfill/"
ADD = f"{LIST}add/"
ALL = ("view_backfill", "add_backfill", "change_backfill", "view_agent", "change_agent")


@pytest.fixture
def planned(agent: Agent) -> Backfill:
    return backfills.ask(backfills.wish("triage", limit=100), by="tests", now=NOW)


def act(client: Client, action: str, row: Backfill, **more: str) -> str:
    data = {"action": action, "_selected_action": [row.pk], **more}
    answer = client.post(LIST, data, follow=True)
    row.refresh_from_db()
    return answer.content.decode()


def test_a_backfill_is_asked_for_in_the_admin(agent: Agent) -> None:
    client = signed_in("alice", *ALL)

    client.post(ADD, {"agent": "triage", "filter": '{"n": 1}', "limit": "5", "rate": "2.5"})

    (made,) = Backfill.objects.all()
    assert (made.limit, made.rate, made.origin, made.status) == (5, 2.5, "alice", "planned")
    assert backfills.query_of(made) == {"n": 1}


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"filter": "{oops"}, "filter: is not JSON"),
        ({"filter": '{"$where": "1"}'}, "is not allowed in a filter"),
        ({"rate": "0"}, "must be a number of documents a second"),
        ({"limit": "0"}, "greater than or equal to 1"),
    ],
)
def test_what_is_wrong_stands_beside_its_field(agent: Agent, data: dict[str, str], words: str) -> None:
    answer = signed_in("alice", *ALL).post(ADD, {"agent": "triage", **data})

    assert answer.status_code == 200
    assert words in answer.content.decode()
    assert not Backfill.objects.exists()


def test_an_agent_that_is_disabled_is_not_offered(agent: Agent) -> None:
    publishing.set_enabled("triage", False, now=NOW)
    assert b'value="triage"' not in signed_in("alice", *ALL).get(ADD).content


def test_the_list_and_the_page_show_how_far_it_is(planned: Backfill) -> None:
    client = signed_in("alice", *ALL)

    assert "waits for a watcher" in client.get(LIST).content.decode()
    page = client.get(f"{LIST}{planned.pk}/change/").content.decode()
    assert "0 read" in page
    assert 'value="pause"' in page
    assert 'value="resume"' not in page


def test_backfills_are_paused_resumed_and_cancelled_after_asking(planned: Backfill) -> None:
    client = signed_in("alice", *ALL)

    assert "Paused: 1." in act(client, "pause", planned)
    assert planned.status == "paused"
    assert "Resumed: 1." in act(client, "resume", planned)
    assert "will end for good" in act(client, "cancel", planned)
    assert planned.status == "planned"
    assert "Cancelled: 1." in act(client, "cancel", planned, confirmed="yes")
    assert planned.status == "cancelled"
    assert "it would have to be" in act(client, "pause", planned)


def test_all_of_a_narrowed_list_are_cancelled_and_no_other(planned: Backfill) -> None:
    other = backfills.ask(backfills.wish("triage", limit=5), by="tests", now=NOW)
    confirm_all_across(signed_in("alice", *ALL), f"{LIST}?q={planned.pk[:8]}", "cancel", planned.pk)
    assert dict(Backfill.objects.values_list("pk", "status")) == {
        planned.pk: "cancelled",
        other.pk: "planned",
    }


def test_whoever_may_only_look_steers_nothing(planned: Backfill) -> None:
    client = signed_in("alice", "view_backfill")

    for action in ("pause", "cancel"):
        act(client, action, planned, confirmed="yes")
    assert planned.status == "planned"
    assert b'value="pause"' not in client.get(f"{LIST}{planned.pk}/change/").content
    assert client.get(ADD).status_code == 403


def test_an_agents_page_leads_to_a_backfill_of_it(agent: Agent) -> None:
    client = signed_in("alice", *ALL)
    link = f"{reverse('admin:executions_app_backfill_add')}?agent=triage"
    page = client.get("/admin/agents_app/agent/triage/change/").content.decode()

    assert link in page
    assert '<option value="triage" selected>' in client.get(link).content.decode()


def test_an_agents_page_offers_no_backfill_to_those_who_may_ask_for_none(agent: Agent) -> None:
    client = signed_in("alice", "view_agent")
    assert b"backfill/add" not in client.get("/admin/agents_app/agent/triage/change/").content
