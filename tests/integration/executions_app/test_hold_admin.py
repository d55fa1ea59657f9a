"""Holds in the admin: read by many, ended by those who operate, after being asked."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from agents_app.models import Agent
from executions_app import holds
from executions_app.models import Hold
from tests.integration.executions_app.conftest import NOW
from tests.people import signed_in

LIST = reverse("admin:executions_app_hold_changelist")


@pytest.fixture
def held(agent: Agent) -> Hold:
    """The agent, and all agents, held."""
    holds.pause(holds.ALL, by="cli:bob", why="the bill", now=NOW)
    return holds.pause("triage", by="api:eve", why="a <b>bad</b> prompt", now=NOW)


def page(hold: Hold) -> str:
    return reverse("admin:executions_app_hold_change", args=(hold.pk,))


def text(client: Client, url: str, **query: str) -> str:
    answer = client.get(url, query)
    assert answer.status_code == 200
    return str(answer.content.decode())


def resume(client: Client, *rows: Hold, confirmed: bool = True) -> str:
    data = {"action": "resume", "_selected_action": [row.pk for row in rows]}
    answer = client.post(LIST, data | ({"confirmed": "yes"} if confirmed else {}), follow=True)
    assert answer.status_code == 200
    return str(answer.content.decode())


def test_who_may_look_sees_who_holds_what_and_why_and_can_end_nothing(held: Hold) -> None:
    viewer = signed_in("vera", "view_hold")
    listed = text(viewer, LIST)
    for told in ("all agents", "cli:bob", "the bill", "a &lt;b&gt;bad&lt;/b&gt; prompt", "in force"):
        assert told in listed, told
    assert 'value="resume"' not in listed
    assert "Resume…" not in text(viewer, page(held))
    resume(viewer, held)
    assert holds.in_force().of("triage") is not None
    assert viewer.post(page(held), {"scope": "x"}).status_code == 403
    assert viewer.post(f"{LIST}add/").status_code == 403
    assert signed_in("otto", "view_agent", "operate_agent").get(LIST).status_code == 403


def test_ending_asks_first_and_is_on_record(held: Hold) -> None:
    operator = signed_in("olga", "view_hold", "operate_agent")
    assert "Resume…" in text(operator, page(held))
    question = resume(operator, held, confirmed=False)
    assert "may cost money" in question
    assert "triage: held by api:eve" in question
    assert held.scope in holds.in_force().agents

    assert "Resumed: triage." in resume(operator, held)
    held.refresh_from_db()
    assert (held.lifted_by, holds.in_force().agents) == ("olga", {})
    assert "None of the selected holds is in force." in resume(operator, held)
    assert "Resume…" not in text(operator, page(held))
    assert "a &lt;b&gt;bad" in text(operator, LIST, state="over")
    assert "a &lt;b&gt;bad" not in text(operator, LIST, state="in force")

    overall = Hold.objects.get(scope="")
    assert "Resumed: all agents." in resume(operator, overall)
    assert holds.in_force().overall is None


def test_the_hold_of_an_agent_that_is_gone_is_a_reason_and_no_500(held: Hold) -> None:
    Agent.objects.update(archived_at=NOW)
    answer = resume(signed_in("olga", "view_hold", "operate_agent"), held)
    assert "triage: " in answer
    assert "not found" in answer
