"""API keys in the admin."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.contrib.sessions.models import Session
from django.test import Client

from agents_app.models import Agent
from mongoclaw_project.access import keys
from mongoclaw_project.access.models import ApiKey
from tests.integration.mongoclaw_project.access.conftest import client_with, key_of, member

URL = "/admin/mongoclaw_project/apikey/"
SEEN = "/api/v1/backfills"
pytestmark = pytest.mark.django_db


def inside(user: User) -> Client:
    """Sign a user in."""
    client = Client()
    client.force_login(user)
    return client


def wish(**changes: object) -> dict[str, Any]:
    return {"name": "Grafana", "scopes": ["read"], "lifetime": "90", **changes}


def shown(answer: Any) -> str:
    """The key on the page."""
    found = re.search(r"mck_[0-9a-f]{8}_[\w-]{43}", answer.content.decode())
    assert found is not None, answer.content.decode()
    return found[0]


def act(client: Client, action: str, *rows: ApiKey) -> Any:
    return client.post(URL, {"action": action, "_selected_action": [row.pk for row in rows]})


def test_a_viewer_makes_a_key_of_his_own_and_sees_it_once() -> None:
    alice, bob = member("alice", "viewer"), member("bob", "viewer")
    client = inside(alice)
    assert "user" not in client.get(f"{URL}add/").context["adminform"].form.fields
    made = client.post(f"{URL}add/", wish(user=bob.pk))
    text = shown(made)
    assert "no-store" in made["Cache-Control"]
    key = ApiKey.objects.get()
    assert (key.user, key.scopes, key.agents) == (alice, ["read"], None), "he may not make one of Bob's"
    assert client_with(text).get(SEEN).status_code == 200

    secret = text.removeprefix(key.prefix)
    pages = [client.get(url).content.decode() for url in (URL, f"{URL}{key.pk}/change/", "/admin/")]
    assert key.prefix in pages[0]
    kept = [str(LogEntry.objects.values()), str([one.get_decoded() for one in Session.objects.all()])]
    assert not [place for place in [*pages, *kept, str(client.cookies)] if secret in place]


def test_people_see_and_end_their_own_keys_and_administrators_those_of_all() -> None:
    alice, bob = member("alice", "viewer"), member("bob", "viewer")
    key_of(alice, "read")
    of_alice = ApiKey.objects.get()
    stranger, administrator = inside(bob), inside(member("carol", "admin"))

    assert of_alice.prefix not in stranger.get(URL).content.decode()
    assert stranger.get(f"{URL}{of_alice.pk}/change/").status_code == 302
    act(stranger, "revoke", of_alice)
    of_alice.refresh_from_db()
    assert of_alice.revoked_at is None

    assert of_alice.prefix in administrator.get(URL).content.decode()
    act(administrator, "revoke", of_alice)
    of_alice.refresh_from_db()
    assert of_alice.revoked_at is not None


def test_an_administrator_makes_a_key_of_another_user_bound_to_an_agent(agent: Agent) -> None:
    bob = member("bob", "operator")
    client = inside(member("carol", "admin"))
    made = client.post(
        f"{URL}add/", wish(user=bob.pk, agents=[agent.pk], scopes=["read", "operate"], lifetime="0")
    )
    shown(made)
    key = ApiKey.objects.get()
    assert (key.user, key.agents, key.scopes) == (bob, [agent.pk], ["read", "operate"])
    assert key.expires_at is None


def test_keys_are_rotated_on_a_page_of_their_own() -> None:
    alice = member("alice", "viewer")
    old = key_of(alice, "read")
    client = inside(alice)
    new = shown(act(client, "rotate", ApiKey.objects.get()))
    assert [client_with(key).get(SEEN).status_code for key in (old, new)] == [401, 200]
    ended = ApiKey.objects.get(prefix=old[:12])
    assert (
        b"None of the selected keys is active"
        in client.post(URL, {"action": "rotate", "_selected_action": [ended.pk]}, follow=True).content
    )
    assert keys.revoke(ended, now=ended.created_at) is False


def test_whoever_may_only_look_ends_nothing() -> None:
    alice = member("alice", "viewer")
    text = key_of(alice, "read")
    alice.groups.clear()
    alice.user_permissions.set(Permission.objects.filter(codename="view_apikey"))
    client = inside(alice)
    act(client, "revoke", *ApiKey.objects.all())
    act(client, "rotate", *ApiKey.objects.all())
    assert client.get(f"{URL}add/").status_code == 403
    assert keys.recognise(text, now=ApiKey.objects.get().created_at) is not None
