"""Who is answered what on every route: a route that is not in the table fails the test."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from agents_app.models import Agent, AgentVersion
from agents_app.spec import HistoryPolicy
from executions_app import backfills, gaps, holds
from executions_app.console.actions import ACTIONS
from executions_app.console.panels import PANELS
from executions_app.gaps import NewGap
from executions_app.models import Backfill, Execution, GapKind, Hold, StreamGap
from executions_app.mongodb import _client, mongodb
from mongoclaw_project.access.levels import Scope
from mongoclaw_project.health import servers
from mongoclaw_project.metrics.views import fleet
from tests.integration.executions_app.conftest import make_event as events_of
from tests.integration.executions_app.letters import dead_run
from tests.integration.mongoclaw_project.access.conftest import Given, client_with, key_of, member

Ids = dict[str, str]

READ, OPERATE, WRITE, ADMIN = Scope
PUBLIC = None
"""Open to everybody; tests of health and of the front door ask these routes."""

FOR_PEOPLE = ("admin/",)
"""Routes with a test of their own: pages that lead to the form to sign in, and ask for the same permissions."""

REFUSED = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}
GROUPS = {
    "viewer": {READ},
    "operator": {READ, OPERATE},
    "editor": {READ, OPERATE, WRITE},
    "admin": {READ, OPERATE, WRITE, ADMIN},
}


SPEC = {
    "id": "triage",
    "name": "Triage",
    "watch": {"database": "shop", "collection": "tickets"},
    "ai": {"provider": "sandbox", "model": "sandbox-1", "prompt": "Sort: {{ document.text }}"},
    "write": {"target_field": "ai"},
}
TRIGGER = {"event_type": "trigger", "data": {"agent_id": "triage", "document": {}}}


@dataclass(frozen=True)
class Rule:
    """What a route asks for; what a key that is bound to another agent gets, and with which query and body."""

    level: Scope | None
    unseen: int | None = None
    query: str = ""
    body: Mapping[str, object] | None = None


TABLE: dict[str, Rule] = {
    "GET ": Rule(PUBLIC),
    "GET health": Rule(PUBLIC),
    "GET health/live": Rule(PUBLIC),
    "GET health/ready": Rule(PUBLIC),
    "GET health/detailed": Rule(PUBLIC),
    "GET version": Rule(PUBLIC),
    "GET openapi.json": Rule(PUBLIC),
    "GET api/v1/schema": Rule(PUBLIC),
    "GET docs": Rule(PUBLIC),
    "GET metrics": Rule(READ, unseen=403),
    "GET api/v1/agents": Rule(READ, unseen=200),
    "POST api/v1/agents": Rule(WRITE, unseen=403, body=SPEC),
    "POST api/v1/agents/validate": Rule(READ, unseen=200, body={"id": "other"}),
    "GET api/v1/agents/<str:agent_id>": Rule(READ, unseen=404),
    "PUT api/v1/agents/<str:agent_id>": Rule(WRITE, unseen=404, body={"name": "New"}),
    "POST api/v1/agents/<str:agent_id>/enable": Rule(OPERATE, unseen=404),
    "POST api/v1/agents/<str:agent_id>/disable": Rule(OPERATE, unseen=404),
    "POST api/v1/agents/<str:agent_id>/validate": Rule(READ, unseen=404),
    "GET api/v1/agents/<str:agent_id>/versions": Rule(READ, unseen=404),
    "GET api/v1/agents/<str:agent_id>/versions/<int:number>": Rule(READ, unseen=404),
    "GET api/v1/agents/<str:agent_id>/diff": Rule(READ, unseen=404, query="from=1"),
    "POST api/v1/agents/<str:agent_id>/rollback": Rule(WRITE, unseen=404, body={"version": 1}),
    "GET api/v1/agents/<str:agent_id>/stats": Rule(READ, unseen=404),
    "POST api/v1/agents/<str:agent_id>/pause": Rule(OPERATE, unseen=404),
    "POST api/v1/agents/<str:agent_id>/resume": Rule(OPERATE, unseen=404),
    "GET api/v1/dispatch": Rule(READ, unseen=200),
    "POST api/v1/dispatch/pause": Rule(OPERATE, unseen=403),
    "POST api/v1/dispatch/resume": Rule(OPERATE, unseen=403),
    "GET api/v1/executions": Rule(READ, unseen=200),
    "GET api/v1/executions/stats": Rule(READ, unseen=200),
    "GET api/v1/executions/agent/<str:agent_id>": Rule(READ, unseen=404),
    "GET api/v1/executions/<str:execution_id>": Rule(READ, unseen=404),
    "GET api/v1/executions/<str:execution_id>/trace": Rule(READ, unseen=404),
    "POST api/v1/executions/<str:execution_id>/cancel": Rule(OPERATE, unseen=404),
    "GET api/v1/dead-letters": Rule(READ, unseen=200),
    "GET api/v1/dead-letters/export": Rule(READ, unseen=200),
    "GET api/v1/dead-letters/<str:letter_id>": Rule(READ, unseen=404),
    "POST api/v1/dead-letters/discard": Rule(OPERATE, unseen=200, body={"all": True, "why": "x"}),
    "POST api/v1/dead-letters/restore": Rule(OPERATE, unseen=200, body={"all": True}),
    "POST api/v1/dead-letters/requeue": Rule(OPERATE, unseen=200, body={"all": True}),
    "POST api/v1/executions/retry": Rule(OPERATE, unseen=200, body={"all": True}),
    "POST api/v1/executions/<str:execution_id>/retry": Rule(OPERATE, unseen=404),
    "GET api/v1/backfills": Rule(READ, unseen=200),
    "POST api/v1/backfills": Rule(OPERATE, unseen=404, body={"agent_id": "triage"}),
    "GET api/v1/backfills/<str:backfill_id>": Rule(READ, unseen=404),
    "POST api/v1/backfills/<str:backfill_id>/pause": Rule(OPERATE, unseen=404),
    "POST api/v1/backfills/<str:backfill_id>/resume": Rule(OPERATE, unseen=404),
    "POST api/v1/backfills/<str:backfill_id>/cancel": Rule(OPERATE, unseen=404),
    "GET api/v1/stats": Rule(READ, unseen=200),
    "GET api/v1/gaps": Rule(READ, unseen=200),
    "GET api/v1/gaps/<str:gap_id>": Rule(READ, unseen=404),
    "POST api/v1/gaps/<str:gap_id>/close": Rule(OPERATE, unseen=404),
    "GET api/v1/streams": Rule(READ, unseen=200),
    "GET api/v1/catalog/overview": Rule(READ, unseen=200),
    "GET api/v1/catalog/collection-profile": Rule(READ, unseen=404, query="database=shop&collection=tickets"),
    "POST api/v1/webhooks/trigger/<str:agent_id>": Rule(OPERATE, unseen=404, body={"document": {}}),
    "POST api/v1/webhooks/custom": Rule(OPERATE, unseen=404, body=TRIGGER),
    "POST api/v1/webhooks/alert": Rule(OPERATE, body={"event_type": "alarm", "data": {}}),
    "POST api/v1/webhooks/github": Rule(PUBLIC),
    "POST api/v1/webhooks/slack": Rule(PUBLIC),
    "DELETE api/v1/agents/<str:agent_id>": Rule(WRITE, unseen=404),
}
"""In this order: what ends an agent or a letter comes after what asks for it."""

PEOPLE: dict[str, tuple[Scope | None, tuple[str, ...]]] = {
    "GET ui/": (PUBLIC, ()),
    "GET ui/panels/<slug:name>": (READ, tuple(f"ui/panels/{name}" for name in PANELS)),
    "GET ui/runs/<slug:execution_id>": (READ, ("ui/runs/0123456789abcdef",)),
    "GET ui/actions/<slug:name>": (OPERATE, tuple(f"ui/actions/{name}" for name in ACTIONS)),
    "GET admin/try/agent/": (WRITE, ("admin/try/agent/?agent=triage",)),
    "GET admin/try/policy/": (READ, ("admin/try/policy/?agent=triage",)),
}
"""Pages for people who are signed in; a key opens none of them."""

METHODS = ("get", "post", "put", "patch", "delete")


def routes(patterns: list[Any], before: str = "") -> Iterator[str]:
    for pattern in patterns:
        route = before + str(pattern.pattern)
        if route.startswith(FOR_PEOPLE) and not route.startswith("admin/try/"):
            continue
        if isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns, route)
        elif isinstance(pattern, URLPattern):
            view = getattr(pattern.callback, "view_class", None)
            is_api = view is not None and hasattr(view, "permission_classes")
            offered = [method for method in METHODS if hasattr(view, method)] if is_api else ["get"]
            yield from (f"{method.upper()} {route}" for method in offered)


@pytest.fixture
def ids(agent: Agent, transactional_db: None, mongo_uri: str, redis_url: str, given: Given) -> Iterator[Ids]:
    """What the parameters of routes stand for: one of each that there can be, all of the agent `triage`."""
    given(
        MONGODB__URI=mongo_uri,
        REDIS__URL=redis_url,
        API__RATE_LIMIT_REQUESTS="100000",
        OBSERVABILITY__METRICS_ACCESS="10.99.0.0/16",
    )
    now = agent.created_at
    planned = backfills.ask(backfills.wish("triage"), by="tests", now=now)
    dead = dead_run(events_of.__wrapped__(agent))  # type: ignore[attr-defined]
    lost = NewGap(
        agent_id="triage",
        database="shop",
        collection="tickets",
        kind=GapKind.HISTORY_LOST,
        since="0000000100000001",
        until="0000000200000002",
        policy=HistoryPolicy.SKIP,
    )
    holds.pause("triage", by="tests", why="", now=now)
    yield {
        "<str:agent_id>": "triage",
        "<str:backfill_id>": planned.id,
        "<str:execution_id>": dead,
        "<str:gap_id>": gaps.record(lost, now=now).id,
        "<str:letter_id>": dead,
        "<int:number>": "1",
    }
    for client, known in ((mongodb, _client), (servers.mongo, servers._mongo)):
        client().close()
        known.cache_clear()
    fleet.cache_clear()


def named(line: str, ids: Ids) -> str:
    for name, value in ids.items():
        line = line.replace(name, value)
    return line


def ask(client: Client, line: str, rule: Rule, ids: Ids) -> Any:
    method, _, route = named(line, ids).partition(" ")
    url = f"/{route}?{rule.query}"
    return client.generic(method, url, json.dumps(rule.body or {}), content_type="application/json")


def test_every_route_is_in_the_table() -> None:
    assert sorted(routes(get_resolver().url_patterns)) == sorted([*TABLE, *PEOPLE])


@dataclass(frozen=True)
class Caller:
    """Somebody who asks: with which levels, and how one is refused."""

    name: str
    client: Client
    levels: set[Scope]
    refusal: int = 403


def signed_in(name: str, *groups: str) -> Client:
    client = Client()
    client.force_login(member(name, *groups))
    return client


def callers() -> Iterator[Caller]:
    yield Caller("nobody", Client(), set(), 401)
    yield Caller("a wrong key", client_with("x"), set(), 401)
    yield Caller("a stranger", signed_in("stranger"), set())
    yield from (Caller(name, signed_in(name, name), levels) for name, levels in GROUPS.items())
    owner = member("owner", "admin")
    yield from (
        Caller(f"a key to {scope}", client_with(key_of(owner, scope.value)), {scope}) for scope in Scope
    )


@pytest.mark.django_db
def test_who_is_answered_what(ids: Ids) -> None:
    wrong = []
    everybody = list(callers())
    for line, rule in TABLE.items():
        for caller in everybody if rule.level is not PUBLIC else ():
            status = ask(caller.client, line, rule, ids).status_code
            may = rule.level in caller.levels
            if (
                status >= HTTPStatus.INTERNAL_SERVER_ERROR
                or (status in REFUSED) is may
                or (not may and status != caller.refusal)
            ):
                wrong.append(f"{line}: {caller.name} is answered {status}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.django_db
def test_whoever_may_not_read_may_not_ask_for_a_head_either(ids: Ids) -> None:
    stranger = signed_in("stranger")
    for line, rule in TABLE.items():
        if line.startswith("GET") and rule.level is not PUBLIC:
            assert ask(stranger, line.replace("GET", "HEAD"), rule, ids).status_code == 403, line


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
    tables = (Agent, AgentVersion, Backfill, Execution, Hold, StreamGap)
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
def test_pages_for_people_ask_for_the_same_levels_and_open_to_no_key(ids: Ids) -> None:
    people = {name: (signed_in(name, name), levels) for name, levels in GROUPS.items()}
    people["stranger"] = signed_in("stranger"), set()
    User.objects.update(is_staff=True)
    outside = [Client(), client_with(key_of(member("owner", "admin"), *(scope.value for scope in Scope)))]
    wrong = []
    for level, addresses in PEOPLE.values():
        for address, method in itertools.product(addresses, ("get", "post")):
            for name, (client, levels) in people.items():
                status = getattr(client, method)(f"/{address}").status_code
                if status == HTTPStatus.METHOD_NOT_ALLOWED:
                    continue
                if status >= 500 or (level in levels) is (status == HTTPStatus.FORBIDDEN):
                    wrong.append(f"{method} {address}: {name} is answered {status}")
            for client in outside:
                status = getattr(client, method)(f"/{address}").status_code
                if status not in {302, 401, 405}:
                    wrong.append(f"{method} {address}: somebody unknown is answered {status}")
    assert not wrong, "\n".join(wrong)
