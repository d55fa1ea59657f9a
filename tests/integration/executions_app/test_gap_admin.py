"""Gaps in the admin: for somebody who may look, somebody who may decide, and somebody without permissions."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from agents_app.models import Agent
from agents_app.spec import HistoryPolicy
from executions_app import gaps
from executions_app.models import Backfill, GapKind, GapStatus, StreamGap
from tests.integration.executions_app.asked_first import confirm_all_across
from tests.integration.executions_app.conftest import NOW
from tests.people import signed_in

LIST = reverse("admin:executions_app_streamgap_changelist")
INDEX = reverse("admin:index")
AGENT = reverse("admin:agents_app_agent_change", args=("triage",))

SignIn = Callable[[str], Client]


@pytest.fixture
def sign_in(transactional_db: None) -> SignIn:
    """Sign in as viewer, decider, or outsider (who sees agents only)."""
    granted = {
        "viewer": ["view_streamgap", "view_agent"],
        "decider": ["view_streamgap", "change_streamgap", "view_agent"],
        "outsider": ["view_agent"],
    }

    def sign_in(name: str) -> Client:
        return signed_in(name, *granted[name])

    return sign_in


def record(policy: HistoryPolicy = HistoryPolicy.FAIL, since: str = "6789abcd00000001") -> StreamGap:
    gap = gaps.NewGap(
        agent_id="triage",
        database="shop",
        collection="tickets",
        kind=GapKind.HISTORY_LOST,
        since=since,
        until="6789abff00000001",
        policy=policy,
        code=286,
        detail="the oplog no longer holds it",
    )
    return gaps.record(gap, now=NOW)


@pytest.fixture
def gap(agent: Agent) -> StreamGap:
    """A gap that holds the agent."""
    return record()


def page(gap: StreamGap) -> str:
    return reverse("admin:executions_app_streamgap_change", args=(gap.pk,))


def text(client: Client, url: str, **query: str) -> str:
    response = client.get(url, query)
    assert response.status_code == 200
    return response.content.decode()


def decide(client: Client, action: str, gap: StreamGap, *, confirmed: bool = True) -> str:
    data = {"action": action, "_selected_action": gap.pk} | ({"confirmed": "yes"} if confirmed else {})
    response = client.post(LIST, data, follow=True)
    assert response.status_code == 200
    return response.content.decode()


def test_a_gap_is_listed_and_shown_with_what_it_does(sign_in: SignIn, gap: StreamGap) -> None:
    client = sign_in("viewer")
    listed = text(client, LIST)
    assert gap.pk[:8] in listed
    assert "holds its agent" in listed
    shown = text(client, page(gap))
    assert "history lost (MongoDB error 286)" in shown
    assert "2025-01-17 01:01:01<br>to 2025-01-17 01:01:51" in shown


def test_the_list_is_narrowed_by_status_agent_and_search(sign_in: SignIn, gap: StreamGap) -> None:
    client = sign_in("viewer")
    for query in ({"status": "open"}, {"agent": "triage"}, {"q": gap.pk[:6]}, {"q": "tickets"}):
        assert "1 gap" in text(client, LIST, **query)
    assert gap.pk[:8] not in text(client, LIST, status="closed")
    assert gap.pk[:8] not in text(client, LIST, agent="another")


def test_who_may_only_look_is_offered_nothing_and_can_do_nothing(sign_in: SignIn, gap: StreamGap) -> None:
    client = sign_in("viewer")
    assert "Backfill…" not in text(client, page(gap))
    assert 'value="backfill"' not in text(client, LIST)
    for action in ("close", "backfill"):
        decide(client, action, gap)
    assert StreamGap.objects.get().status == GapStatus.OPEN
    assert client.post(page(gap), {"status": "closed"}).status_code == 403


def test_closing_asks_first_then_closes_and_lets_the_agent_go(sign_in: SignIn, gap: StreamGap) -> None:
    client = sign_in("decider")
    assert "Leave out…" in text(client, page(gap))
    question = decide(client, "close", gap, confirmed=False)
    assert "Leave the selected gaps as they are?" in question
    assert StreamGap.objects.get().status == GapStatus.OPEN
    assert "Closed: 1." in decide(client, "close", gap)
    closed = StreamGap.objects.get()
    assert (closed.status, closed.closed_by) == (GapStatus.CLOSED, "decider")
    assert gaps.held_since() == {}
    assert "None of the selected gaps is open to that." in decide(client, "close", gap)
    assert "Leave out…" not in text(client, page(gap))


def test_a_backfill_asks_first_and_is_planned(sign_in: SignIn, gap: StreamGap) -> None:
    client = sign_in("decider")
    assert "may cost money" in decide(client, "backfill", gap, confirmed=False)
    assert not Backfill.objects.exists()
    assert "Will be backfilled: 1." in decide(client, "backfill", gap)
    assert StreamGap.objects.get().backfill_id == Backfill.objects.get().pk
    shown = text(client, page(gap))
    assert "Backfill…" not in shown
    assert "Leave out…" in shown


def test_all_of_a_narrowed_list_are_closed_and_no_other(sign_in: SignIn, gap: StreamGap) -> None:
    other = record(since="6789abfe00000001")
    confirm_all_across(sign_in("decider"), f"{LIST}?q={gap.pk[:8]}", "close", gap.pk)
    assert dict(StreamGap.objects.values_list("pk", "status")) == {gap.pk: "closed", other.pk: "open"}


def test_open_gaps_are_a_warning_on_the_first_page_and_on_the_agents(sign_in: SignIn, gap: StreamGap) -> None:
    client = sign_in("viewer")
    first = text(client, INDEX)
    assert "Held until somebody does: triage." in first
    assert f"{LIST}?status=open" in first
    assert "It is held until somebody does." in text(client, AGENT)
    gaps.close(gap.pk, by="ann", resolution="skip", now=NOW)
    record(HistoryPolicy.SKIP, since="6789abce00000001")
    assert "1 open gap<" in text(client, INDEX)
    assert "Held until" not in text(client, INDEX)
    assert "held" not in text(client, AGENT)
    gaps.close(StreamGap.objects.get(status="open").pk, by="ann", resolution="skip", now=NOW)
    assert "mc-warning" not in text(client, INDEX).partition("</style>")[2]
    assert "mc-warning" not in text(client, AGENT).partition("</style>")[2]


def test_who_may_not_see_gaps_is_not_warned_of_them(sign_in: SignIn, gap: StreamGap) -> None:
    client = sign_in("outsider")
    assert "open gap" not in text(client, INDEX)
    assert "open gap" not in text(client, AGENT)
    assert client.get(LIST).status_code == 403
