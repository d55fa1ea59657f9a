"""What is told of an agent's address before it is published."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from agents_app.errors import SpecInvalid
from agents_app.spec import parse_spec
from mongoclaw_project import egress_check
from tests.integration.mongoclaw_project.access.conftest import Given, given

__all__ = ["given"]
ALLOW = "SECURITY__EGRESS_ALLOW"


def warnings(url: str, provider: str = "external") -> list[str]:
    field = "external_url" if provider == "external" else "base_url"
    spec = {
        "id": "a",
        "name": "A",
        "watch": {"database": "shop", "collection": "tickets"},
        "ai": {"provider": provider, "model": "m", "prompt": "x", "extra_params": {field: url}},
        "write": {"target_field": "ai"},
    }
    return list(egress_check.check(parse_spec(spec).spec))


@pytest.mark.parametrize("provider", ["external", "custom"])
def test_a_closed_address_is_refused_by_its_field_and_one_that_is_named_is_not(
    given: Given, provider: str
) -> None:
    field = "external_url" if provider == "external" else "base_url"
    with pytest.raises(SpecInvalid) as refused:
        warnings("http://169.254.169.254/", provider)
    [problem] = refused.value.errors
    assert problem.path == f"ai.extra_params.{field}"
    assert ALLOW in problem.message
    given(**{ALLOW: "169.254.169.254"})
    assert warnings("http://169.254.169.254/", provider) == []


def test_this_machine_is_open_in_development_only(given: Given) -> None:
    assert warnings("http://localhost:9000/run") == []
    given(ENVIRONMENT="production")
    with pytest.raises(SpecInvalid):
        warnings("http://localhost:9000/run")


def test_a_name_that_leads_inside_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [(0, 0, 0, "", ("10.0.0.1", 80))])
    [warning] = warnings("http://models.example/run")
    assert warning.startswith("ai.extra_params.external_url: models.example (10.0.0.1) ")


def test_a_name_that_cannot_be_looked_up_here_is_no_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(*_: Any, **__: Any) -> Any:
        raise socket.gaierror("no such name")

    monkeypatch.setattr(socket, "getaddrinfo", lost)
    assert warnings("http://models.example/run") == []
