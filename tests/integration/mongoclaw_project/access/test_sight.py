"""What a key that is bound to some agents sees of the others: nothing, on no route."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from agents_app import policies
from agents_app.models import Agent, AgentVersion, Policy, PolicyVersion
from agents_app.publish import publish
from agents_app.spec import parse_policy, parse_spec
from executions_app.models import Backfill, Execution, Hold, StreamGap
from mongoclaw_project.access.levels import Scope
from tests.integration.mongoclaw_project.access.conftest import POLICY, client_with, key_of, member
from tests.integration.mongoclaw_project.access.routes import SPEC, TABLE, Ids, ask, named


@pytest.mark.django_db
def test_a_key_that_is_bound_to_another_agent_sees_and_moves_nothing_of_this_one(ids: Ids) -> None:
    owner = member("owner", "admin")
    bound, free = (
        client_with(key_of(owner, *(scope.value for scope in Scope), agents=agents))
        for agents in (["other"], None)
    )
    before = everything_of_triage()
    rules = {line: rule for line, rule in TABLE.items() if rule.unseen is not None}
    for line, rule in rules.items():
        answer = ask(bound, line, rule, ids)
        assert answer.status_code == rule.unseen, line
        shown = answer.getvalue().decode()
        given = named(line, ids) + rule.query + json.dumps(rule.body)
        leaked = [id_ for id_ in ids.values() if len(id_) > 1 and id_ in shown and id_ not in given]
        assert not leaked, line
        assert "shop" not in shown or "shop" in given, line
    assert everything_of_triage() == before
    # It is there: whoever sees all agents gets it from the same requests.
    for line, rule in rules.items():
        status = ask(free, line, rule, ids).status_code
        assert status < 500, line
        assert status not in {403, 404} or rule.unseen not in {403, 404}, line


def everything_of_triage() -> list[Any]:
    tables = (Agent, AgentVersion, Backfill, Execution, Hold, Policy, PolicyVersion, StreamGap)
    return [list(table.objects.order_by("pk").values()) for table in tables]


@pytest.mark.django_db
@pytest.mark.parametrize("route", ["executions", "executions/stats", "gaps", "backfills", "stats"])
def test_an_agent_that_is_out_of_sight_is_not_there_to_be_asked_for(ids: Ids, route: str) -> None:
    bound = client_with(key_of(member("owner", "admin"), "read", agents=["other"]))
    hidden = bound.get(f"/api/v1/{route}", {"agent_id": "triage"})
    never = bound.get(f"/api/v1/{route}", {"agent_id": "no-such-agent"})
    assert (hidden.status_code, never.status_code) == (404, 404)
    assert hidden.json()["detail"].replace("triage", "no-such-agent") == never.json()["detail"]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("route", "name"),
    [
        ("gaps", "<str:gap_id>"),
        ("backfills", "<str:backfill_id>"),
        ("executions", "<str:execution_id>"),
        ("dead-letters", "<str:letter_id>"),
    ],
)
def test_what_is_out_of_sight_is_answered_like_what_is_not_there(ids: Ids, route: str, name: str) -> None:
    bound = client_with(key_of(member("owner", "admin"), "read", "operate", agents=["other"]))
    for length in (8, 32):
        hidden, never = ids[name][:length], ("0" if ids[name][0] != "0" else "1") * length
        told = [bound.get(f"/api/v1/{route}/{id_}") for id_ in (hidden, never)]
        if route == "dead-letters":
            url = f"/api/v1/{route}/requeue"
            told += [bound.post(url, {"ids": [id_]}, "application/json") for id_ in (hidden, never)]
        answers = [(answer.status_code, answer.content.decode()) for answer in told]
        assert {status for status, _ in answers} == {404}
        assert len({text.replace(hidden, "…").replace(never, "…") for _, text in answers}) == 1, answers


@pytest.mark.django_db
def test_a_policy_is_changed_by_a_key_only_that_reaches_all_its_agents(ids: Ids) -> None:
    now = datetime.now(UTC)
    policies.publish(parse_policy({"name": "of-nobody"}), by="tests", now=now)
    owner = member("owner", "admin")
    bound = client_with(key_of(owner, "read", "write", agents=["triage"]))
    url, change = f"/api/v1/policies/{POLICY}", {"condition": "result.a == 7"}

    assert [one["name"] for one in bound.get("/api/v1/policies").json()["policies"]] == [POLICY]
    assert bound.put(url, change, "application/json").json()["published"] == ["triage"]

    publish(parse_spec({**SPEC, "id": "other", "policy": {"use": POLICY}}), by="tests", now=now)
    assert bound.get(url).json()["used_by"] == ["triage"], "the other agent is not shown"
    for answer in (
        bound.put(url, {"condition": None}, "application/json"),
        bound.post(f"{url}/rollback", {"version": 1}, "application/json"),
        bound.delete(url),
    ):
        assert answer.status_code == 403
        assert "other" not in answer.json()["detail"]
    followed = AgentVersion.objects.get(agent="other").policy_version_id
    assert policies.get(POLICY).current_version_id == followed
