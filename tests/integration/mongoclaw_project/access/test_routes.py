"""Who is answered what on every route: a route that is not in the table fails the test."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from mongoclaw_project.access.levels import Scope
from tests.integration.mongoclaw_project.access.conftest import client_with, key_of, member
from tests.integration.mongoclaw_project.access.routes import (
    ADMIN,
    OPERATE,
    PEOPLE,
    PUBLIC,
    READ,
    TABLE,
    WRITE,
    Ids,
    ask,
)

FOR_PEOPLE = ("admin/",)
"""Routes with a test of their own: pages that lead to the form to sign in, and ask for the same permissions."""

REFUSED = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}
GROUPS = {
    "viewer": {READ},
    "operator": {READ, OPERATE},
    "editor": {READ, OPERATE, WRITE},
    "admin": {READ, OPERATE, WRITE, ADMIN},
}


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
def test_pages_for_people_ask_for_the_same_levels_and_open_to_no_key(ids: Ids) -> None:
    people = {name: (signed_in(name, name), levels) for name, levels in GROUPS.items()}
    people["stranger"] = signed_in("stranger"), set()
    outside = [Client(), client_with(key_of(member("owner", "admin"), *(scope.value for scope in Scope)))]
    wrong = []
    for level, addresses in PEOPLE.values():
        for address, method in itertools.product(addresses, ("get", "post")):
            for name, (client, levels) in people.items():
                status = getattr(client, method)(f"/{address}").status_code
                if status == HTTPStatus.METHOD_NOT_ALLOWED:
                    continue
                # The admin lets nobody in who may do nothing there.
                refused = status == (HTTPStatus.FOUND if not levels and "admin/" in address else 403)
                if status >= 500 or (level in levels) is refused:
                    wrong.append(f"{method} {address}: {name} is answered {status}")
            for client in outside:
                status = getattr(client, method)(f"/{address}").status_code
                if status not in {302, 401, 405}:
                    wrong.append(f"{method} {address}: somebody unknown is answered {status}")
    assert not wrong, "\n".join(wrong)
