"""The description of the HTTP API, and its page."""

from __future__ import annotations

import itertools
import re
from typing import Any

import pytest
from django.test import Client
from django.urls import Resolver404, resolve

from tests.pages import PAGES, calls_of

OURS = ("400", "401", "403", "404", "405", "409", "412", "415", "422", "429", "503")


@pytest.fixture(scope="module")
def document() -> Any:
    """The OpenAPI document, as anybody gets it."""
    return Client().get("/openapi.json").json()


def operations(document: Any) -> list[tuple[str, dict[str, Any]]]:
    return [
        (f"{method} {path}", found)
        for path, methods in document["paths"].items()
        for method, found in methods.items()
        if path.startswith("/api/v1/") and path != "/api/v1/schema"
    ]


def test_every_operation_has_a_name_a_description_and_its_errors(document: Any) -> None:
    names = [found["operationId"] for _, found in operations(document)]
    assert len(names) == len(set(names)) > 30
    for name, found in operations(document):
        assert found["description"], name
        assert {"401", "403", "429", "503"} <= found["responses"].keys(), name
        if "{" in name:
            assert "404" in found["responses"], name
        shapes = [answer.get("content") for status, answer in found["responses"].items() if status in OURS]
        assert all(shapes), name


def test_an_id_that_is_a_word_of_another_address_is_answered_as_documented(
    document: Any,
) -> None:
    """The fuzzer saw it now and then: `POST executions/agent/retry` asks for the runs of an agent named `retry`."""
    taken = 0
    words = {word for path in document["paths"] for word in path.split("/") if word and "{" not in word}
    for name, found in operations(document):
        method, _, path = name.partition(" ")
        for parameter, word in itertools.product(re.findall(r"{\w+}", path), words):
            address = re.sub(r"{\w+}", "1", path.replace(parameter, word))
            if not _offers(method, address):
                taken += 1
                assert "405" in found["responses"], f"{method} {address}"
    assert taken >= 2


def _offers(method: str, address: str) -> bool:
    try:
        return hasattr(resolve(address).func.view_class, method)  # type: ignore[attr-defined]
    except Resolver404:
        return True  # 404, which each documents


CALLS = sorted({call for page in PAGES for call in calls_of(page)})


def test_the_calls_of_the_pages_are_found() -> None:
    assert ("POST", "/api/v1/webhooks/trigger/support-triage") in CALLS
    assert ("GET", "/api/v1/stats") in CALLS
    assert len(CALLS) > 12


@pytest.mark.parametrize("call", CALLS, ids=" ".join)
def test_a_call_that_a_page_shows_is_described(document: Any, call: tuple[str, str]) -> None:
    method, shown = call
    described = {
        re.sub(r"\\\{[^/]+\\\}", "[^/]+", re.escape(path)): methods
        for path, methods in document["paths"].items()
    }
    found = [methods for path, methods in described.items() if re.fullmatch(path, shown)]
    assert any(method.lower() in methods for methods in found), shown


def test_it_says_how_to_sign_in(document: Any) -> None:
    schemes = document["components"]["securitySchemes"]
    assert schemes["ApiKey"] == {"type": "apiKey", "in": "header", "name": "X-API-Key"}
    assert document["openapi"].startswith("3.1")


def test_it_names_the_version_that_the_server_is(document: Any) -> None:
    assert document["info"]["version"] == Client().get("/version").json()["version"]


def test_times_without_an_offset_claim_no_format(document: Any) -> None:
    created = document["components"]["schemas"]["AgentSpec"]["properties"]["created_at"]
    assert "date-time" not in str(created)
    assert document["components"]["schemas"]["AgentSpecRequest"]["required"] == ["id", "name", "watch", "ai"]


def test_the_page_asks_no_other_host() -> None:
    page = Client().get("/docs")
    assert page.status_code == 200
    links = re.findall(r'(?:src|href)="([^"]+)"', page.content.decode())
    assert links
    assert all(link.startswith("/") and not link.startswith("//") for link in links)
    for link in links:
        answer = Client().get(link.replace("&amp;", "&"))
        answer.close()
        assert answer.status_code == 200
