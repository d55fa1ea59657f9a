"""Gaps over HTTP."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from agents_app.models import Agent
from agents_app.spec import HistoryPolicy
from executions_app import gaps
from executions_app.gaps import NewGap
from executions_app.models import Backfill, GapKind, StreamGap
from tests.integration.executions_app.conftest import NOW
from tests.integration.executions_app.test_backfill_api import post
from tests.integration.executions_app.test_executions_api import bind, superuser
from tests.people import signed_in

URL = "/api/v1/gaps"


@pytest.fixture
def gap(agent: Agent) -> StreamGap:
    """An open gap that holds its agent."""
    return made("0000000100000001")


def made(since: str) -> StreamGap:
    new = NewGap(
        agent_id="triage",
        database="shop",
        collection="tickets",
        kind=GapKind.HISTORY_LOST,
        since=since,
        until="0000000200000002",
        policy=HistoryPolicy.FAIL,
    )
    return gaps.record(new, now=NOW)


def test_gaps_are_listed_and_acknowledged(gap: StreamGap) -> None:
    api = superuser("root")

    body = api.get(URL, {"agent_id": "triage", "database": "shop"}).json()
    assert (body["total"], body["gaps"][0]["id"], body["gaps"][0]["since"]) == (1, gap.id, "1:1")
    assert api.get(f"{URL}/{gap.id[:6]}").json() == body["gaps"][0]

    closed = post(api, f"{URL}/{gap.id}/close", {})
    assert (closed.json()["status"], closed.json()["closed_by"]) == ("closed", "api:root")
    assert Agent.objects.get().health == "unknown"
    assert api.get(URL).json()["total"] == 0
    assert api.get(URL, {"closed": "true"}).json()["total"] == 1
    assert post(api, f"{URL}/{gap.id}/close").status_code == 409


def test_a_gap_is_closed_by_a_backfill(gap: StreamGap) -> None:
    answer = post(superuser("root"), f"{URL}/{gap.id}/close", {"backfill": True}).json()
    assert (answer["status"], answer["backfill_id"]) == ("backfilling", Backfill.objects.get().id)


@pytest.mark.parametrize("body", [{"backfill": "yes"}, {"skip": True}, []])
def test_a_wrong_decision_is_422(gap: StreamGap, body: Any) -> None:
    assert post(superuser("root"), f"{URL}/{gap.id}/close", body).status_code == 422


def test_permissions_and_bounds_are_kept(gap: StreamGap, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Client().get(URL).status_code == 401
    viewer = signed_in("bob", "view_streamgap")
    assert viewer.get(f"{URL}/{gap.id}").status_code == 200
    assert post(viewer, f"{URL}/{gap.id}/close").status_code == 403
    for wrong in ("nothing", "a%00b", "ffffffff"):
        assert viewer.get(f"{URL}/{wrong}").status_code == 404

    root = superuser("root")
    bind(monkeypatch, "other")
    assert root.get(URL).json()["gaps"] == []
    assert root.get(f"{URL}/{gap.id}").status_code == 404
    assert post(root, f"{URL}/{gap.id}/close").status_code == 404
    assert root.get(URL, {"agent_id": "triage"}).status_code == 404
