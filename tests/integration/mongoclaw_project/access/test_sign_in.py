"""The page to sign in: who is let into console and admin, and what each may do there."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group, User
from django.test import Client

from agents_app.models import Agent
from tests.integration.mongoclaw_project.access.conftest import Given, member

LOGIN, CONSOLE, ADMIN = "/ui/login", "/ui/", "/admin/"
PASSWORD = "right"


@pytest.fixture(autouse=True)
def _cheap(settings: Any, given: Given, redis_url: str, agent: Agent) -> None:
    """Passwords that cost nothing to check, and an agent to see."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    given(REDIS__URL=redis_url)


def signed_in(name: str, *groups: str) -> Client:
    """Sign in by the page."""
    user = member(name, *groups)
    User.objects.filter(pk=user.pk).update(password=make_password(PASSWORD))
    client = Client()
    answer = client.post(LOGIN, {"username": name, "password": PASSWORD})
    assert (answer.status_code, answer["Location"]) == (302, CONSOLE), answer.content.decode()
    return client


def text(client: Client, url: str) -> str:
    answer = client.get(url)
    assert answer.status_code == 200, (url, answer.status_code)
    return str(answer.content.decode())


@pytest.mark.parametrize(
    ("group", "operates", "edits"),
    [("viewer", False, False), ("operator", True, False), ("editor", True, True)],
)
def test_nobody_needs_to_be_staff_and_each_sees_what_the_group_may_do(
    group: str, operates: bool, edits: bool
) -> None:
    client = signed_in(group, group)
    assert not User.objects.get().is_staff
    page = text(client, CONSOLE)
    assert 'hx-get="/ui/panels/agents"' in page
    assert f'href="{ADMIN}"' in page
    assert ("/ui/actions/" in text(client, "/ui/panels/agents")) is operates
    listed = text(client, "/admin/agents_app/agent/")
    assert ('value="disable"' in listed) is operates
    assert ('href="/admin/agents_app/agent/add/"' in listed) is edits
    assert client.get("/admin/agents_app/agent/add/").status_code == (200 if edits else 403)
    assert client.get("/admin/auth/user/").status_code == 403


def test_a_stranger_is_told_whom_to_ask_wherever_he_goes() -> None:
    client = signed_in("stranger")
    User.objects.update(is_staff=True)  # which decides nothing
    for url in (CONSOLE, ADMIN, "/admin/agents_app/agent/", f"{LOGIN}?next=/admin/"):
        answer = client.get(url, follow=True)
        assert answer.redirect_chain[-1:] in ([], [(CONSOLE, 302)]), url
        told = answer.content.decode()
        assert "Whoever manages users can put you into the group" in told, url
        assert f'href="{ADMIN}"' not in told
    assert client.get("/ui/panels/agents").status_code == 403


def test_the_page_leads_to_where_somebody_wanted_to_go_and_nowhere_else() -> None:
    wanted = "/admin/agents_app/agent/"
    asked = Client().get(wanted, follow=True)
    assert asked.redirect_chain[-1] == (f"{LOGIN}?next={wanted}", 302)
    assert f'name="next" value="{wanted}"' in asked.content.decode()
    client = signed_in("vera", "viewer")
    for next_, lands in (
        (wanted, wanted),
        ("https://evil.example/", CONSOLE),
        ("//evil.example", CONSOLE),
        (LOGIN, CONSOLE),
        (f"{LOGIN}?next={LOGIN}", CONSOLE),
    ):
        assert client.get(LOGIN, {"next": next_})["Location"] == lands, next_


def test_who_is_not_active_or_says_a_wrong_password_stays_outside() -> None:
    user = member("vera", "viewer")
    User.objects.filter(pk=user.pk).update(password=make_password(PASSWORD), is_active=False)
    for password in (PASSWORD, "wrong", ""):
        client = Client()
        answer = client.post(LOGIN, {"username": "vera", "password": password})
        assert answer.status_code == 200
        assert PASSWORD not in answer.content.decode()
        assert client.get(CONSOLE).status_code == 302
        assert client.get(ADMIN).status_code == 302


def test_signing_in_and_out_asks_for_the_token_and_out_is_out() -> None:
    client = signed_in("vera", "viewer")
    strict = Client(enforce_csrf_checks=True)
    assert strict.post(LOGIN, {"username": "vera", "password": PASSWORD}).status_code == 403
    strict.cookies = client.cookies
    assert strict.post("/ui/logout").status_code == 403
    assert text(client, CONSOLE)
    assert client.get("/ui/logout").status_code == 405
    assert client.post("/admin/logout/")["Location"] == LOGIN
    assert client.get(CONSOLE)["Location"] == f"{LOGIN}?next={CONSOLE}"
    client.force_login(User.objects.get())
    assert client.post("/ui/logout")["Location"] == LOGIN
    assert client.get(CONSOLE).status_code == 302


def test_a_new_user_gets_groups_when_it_is_made_and_no_staff_status() -> None:
    boss = signed_in("boss", "admin")
    form = text(boss, "/admin/auth/user/add/")
    assert "is_staff" not in form
    viewer = Group.objects.get(name="viewer")
    long = "a-horse-and-a-battery"
    made = {
        "username": "vera",
        "usable_password": "true",
        "password1": long,
        "password2": long,
        "groups": [viewer.pk],
    }
    assert boss.post("/admin/auth/user/add/", made).status_code == 302
    vera = User.objects.get(username="vera")
    assert [group.name for group in vera.groups.all()] == ["viewer"]
    assert "is_staff" not in text(boss, f"/admin/auth/user/{vera.pk}/change/")
    assert "viewer" in text(boss, "/admin/auth/user/")
