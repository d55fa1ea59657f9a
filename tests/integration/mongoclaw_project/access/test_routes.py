"""Who is answered what on every route: a route that is not in the table fails the test."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from agents_app.models import Agent
from executions_app import backfills
from mongoclaw_project.access.levels import Scope
from tests.integration.mongoclaw_project.access.conftest import client_with, key_of, member

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


@dataclass(frozen=True)
class Rule:
    """What a route asks for; what a key that is bound to another agent gets, and with which body it asks."""

    level: Scope | None
    unseen: int | None = None
    body: dict[str, object] | None = None


TABLE: dict[str, Rule] = {
    "GET ": Rule(PUBLIC),
    "GET health": Rule(PUBLIC),
    "GET health/live": Rule(PUBLIC),
    "GET health/ready": Rule(PUBLIC),
    "GET health/detailed": Rule(PUBLIC),
    "GET version": Rule(PUBLIC),
    "GET api/v1/backfills": Rule(READ, unseen=200),
    "POST api/v1/backfills": Rule(OPERATE, unseen=404, body={"agent_id": "triage"}),
    "GET api/v1/backfills/<str:backfill_id>": Rule(READ, unseen=404),
    "POST api/v1/backfills/<str:backfill_id>/pause": Rule(OPERATE, unseen=404),
    "POST api/v1/backfills/<str:backfill_id>/resume": Rule(OPERATE, unseen=404),
    "POST api/v1/backfills/<str:backfill_id>/cancel": Rule(OPERATE, unseen=404),
    "GET api/v1/stats": Rule(READ, unseen=200),
    "GET api/v1/dead-letters": Rule(READ),
    "GET api/v1/dead-letters/export": Rule(READ),
    "POST api/v1/dead-letters/requeue": Rule(OPERATE),
    "POST api/v1/dead-letters/discard": Rule(OPERATE),
    "POST api/v1/dead-letters/restore": Rule(OPERATE),
    "GET api/v1/dead-letters/<str:letter_id>": Rule(READ),
}
METHODS = ("get", "post", "put", "patch", "delete")


def routes(patterns: list[Any], before: str = "") -> Iterator[str]:
    for pattern in patterns:
        route = before + str(pattern.pattern)
        if route.startswith(FOR_PEOPLE):
            continue
        if isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns, route)
        elif isinstance(pattern, URLPattern):
            view = getattr(pattern.callback, "view_class", None)
            is_api = view is not None and hasattr(view, "permission_classes")
            offered = [method for method in METHODS if hasattr(view, method)] if is_api else ["get"]
            yield from (f"{method.upper()} {route}" for method in offered)


@pytest.fixture
def ids(agent: Agent, transactional_db: None) -> dict[str, str]:
    """What the parameters of routes stand for."""
    planned = backfills.ask(backfills.wish("triage"), by="tests", now=agent.created_at)
    return {"<str:backfill_id>": planned.id, "<str:letter_id>": "0" * 32, "<str:agent_id>": "triage"}


def ask(client: Client, line: str, rule: Rule, ids: dict[str, str]) -> Any:
    method, _, route = line.partition(" ")
    for name, value in ids.items():
        route = route.replace(name, value)
    return client.generic(method, f"/{route}", _json(rule.body), content_type="application/json")


def _json(body: dict[str, object] | None) -> str:
    return json.dumps(body or {})


def test_every_route_is_in_the_table() -> None:
    assert sorted(routes(get_resolver().url_patterns)) == sorted(TABLE)


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
def test_who_is_answered_what(ids: dict[str, str]) -> None:
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
def test_a_key_that_is_bound_to_another_agent_sees_nothing_of_this_one(ids: dict[str, str]) -> None:
    owner = member("owner", "admin")
    bound = client_with(key_of(owner, *(scope.value for scope in Scope), agents=["other"]))
    free = client_with(key_of(owner, *(scope.value for scope in Scope)))
    for line, rule in TABLE.items():
        if rule.unseen is not None:
            answer = ask(bound, line, rule, ids)
            assert answer.status_code == rule.unseen, line
            shown = answer.content.decode()
            assert ids["<str:backfill_id>"] not in shown or rule.unseen == 404, line
            assert "triage" not in shown or rule.unseen == 404, line
    assert "triage" in ask(free, "GET api/v1/backfills", Rule(READ), ids).content.decode()
