"""Who is let in over HTTP, and what the others are answered."""

from __future__ import annotations

import base64

import pytest
from django.test import Client
from structlog.contextvars import merge_contextvars
from structlog.testing import capture_logs

from mongoclaw_project.access.models import ApiKey
from tests.integration.mongoclaw_project.access.conftest import Given, client_with, key_of, member

SEEN = "/api/v1/backfills"
ASKED = {"agent_id": "nobody"}
pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("headers", [{}, {"X-API-Key": ""}, {"X-API-Key": " "}])
@pytest.mark.parametrize("configured", ["", "k" * 32])
def test_whoever_says_nothing_is_told_how(
    client: Client, given: Given, headers: dict[str, str], configured: str
) -> None:
    given(SECURITY__API_KEYS=configured)
    answer = client.get(SEEN, headers=headers)
    assert (answer.status_code, answer.json()) == (401, {"detail": "API key required"})
    assert answer["WWW-Authenticate"] == "ApiKey"


@pytest.mark.parametrize("key", ["anything", "k" * 31, "mck_00000000_" + "x" * 43])
@pytest.mark.parametrize("configured", ["", "k" * 32])
def test_a_wrong_key_opens_nothing_even_where_none_is_configured(
    given: Given, key: str, configured: str
) -> None:
    given(SECURITY__API_KEYS=configured)
    answer = client_with(key).get(SEEN)
    assert (answer.status_code, answer.json()) == (401, {"detail": "Invalid API key"})
    assert answer["WWW-Authenticate"] == "ApiKey"


def test_a_wrong_key_is_refused_although_the_browser_is_signed_in(client: Client) -> None:
    client.force_login(member("alice", "viewer"))
    assert client.get(SEEN, headers={"X-API-Key": "x"}).status_code == 401


def test_every_key_of_the_settings_is_let_in(given: Given) -> None:
    given(SECURITY__API_KEYS='["first-key-of-the-settings", "second-key-of-the-settings"]')
    with capture_logs() as lines:
        assert client_with("second-key-of-the-settings").get(SEEN).status_code == 200
    assert "second-key" not in str(lines)
    asked = client_with("first-key-of-the-settings").post(SEEN, ASKED, content_type="application/json")
    assert asked.status_code == 404, "it may ask, and there is no such agent"


def test_the_header_has_the_name_of_the_settings(given: Given) -> None:
    given(SECURITY__API_KEYS="k" * 32, API__API_KEY_HEADER="X-Our-Key")
    assert Client(headers={"X-Our-Key": "k" * 32}).get(SEEN).status_code == 200
    assert client_with("k" * 32).get(SEEN).status_code == 401


def test_a_key_without_the_scope_is_known_and_not_allowed() -> None:
    alice = member("alice", "operator")
    reading, operating = client_with(key_of(alice, "read")), client_with(key_of(alice, "operate"))
    assert reading.get(SEEN).status_code == 200
    refused = reading.post(SEEN, ASKED, content_type="application/json")
    assert (refused.status_code, refused.json()["detail"][:12]) == (403, "You do not h")
    assert operating.post(SEEN, ASKED, content_type="application/json").status_code == 404
    assert operating.get(SEEN).status_code == 403


def test_a_key_loses_what_its_user_loses_at_once() -> None:
    alice = member("alice", "viewer")
    client = client_with(key_of(alice, "read"))
    assert client.get(SEEN).status_code == 200
    alice.groups.clear()
    assert client.get(SEEN).status_code == 403


def test_a_request_with_a_key_is_logged_with_its_prefix_and_the_next_one_without() -> None:
    text = key_of(member("alice", "viewer"), "read")
    with capture_logs(processors=[merge_contextvars]) as lines:
        client_with(text).get(SEEN)
        Client().get(SEEN)
    logged = [line.get("caller") for line in lines if line["event"] == "http.request"]
    assert logged == [ApiKey.objects.get().prefix, None]
    assert text not in str(lines)
    assert ApiKey.objects.get().last_used_at is not None


def test_people_may_use_their_password_or_their_session() -> None:
    alice = member("alice", "viewer")
    alice.set_password("alice's password")
    alice.save()
    known = base64.b64encode(b"alice:alice's password").decode()
    assert Client(headers={"Authorization": f"Basic {known}"}).get(SEEN).status_code == 200
    session = Client()
    session.force_login(alice)
    assert session.get(SEEN).status_code == 200
    wrong = Client(headers={"Authorization": f"Basic {base64.b64encode(b'alice:x').decode()}"}).get(SEEN)
    assert (wrong.status_code, wrong["WWW-Authenticate"]) == (401, "ApiKey")


def test_a_session_changes_nothing_without_the_token_of_its_form_and_a_key_needs_none() -> None:
    alice = member("alice", "operator")
    session = Client(enforce_csrf_checks=True)
    session.force_login(alice)
    refused = session.post(SEEN, ASKED, content_type="application/json")
    assert (refused.status_code, refused.json()["detail"]) == (403, "CSRF Failed: CSRF cookie not set.")
    keyed = Client(enforce_csrf_checks=True, headers={"X-API-Key": key_of(alice, "operate")})
    assert keyed.post(SEEN, ASKED, content_type="application/json").status_code == 404
