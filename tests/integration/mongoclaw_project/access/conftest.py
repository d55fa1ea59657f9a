"""Settings of a test's own, users of a group, and clients with keys."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client

from agents_app.models import Agent
from agents_app.publish import publish
from agents_app.spec import parse_spec
from mongoclaw_project.access import keys
from mongoclaw_project.access.keys import Wish
from mongoclaw_project.config import Loaded, load_settings, loading

Given = Callable[..., None]


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> Given:
    """Let this process have other settings: `given(SECURITY__API_KEYS=…)`."""

    def given(**values: str) -> None:
        settings = load_settings({f"MONGOCLAW_{name}": value for name, value in values.items()})
        monkeypatch.setattr(loading, "_current", lambda: Loaded(settings, ()))

    return given


@pytest.fixture
def agent(db: None) -> Agent:
    """A published agent."""
    spec = {
        "id": "triage",
        "name": "Triage",
        "watch": {"database": "shop", "collection": "tickets"},
        "ai": {"provider": "sandbox", "model": "sandbox-1", "prompt": "Sort: {{ document.text }}"},
        "write": {"target_field": "ai"},
    }
    return publish(parse_spec(spec), by="tests", now=datetime.now(UTC)).agent


def member(name: str, *groups: str) -> User:
    """Make a user of some groups, without a password: hashing one takes most of a second."""
    user = User.objects.create(username=name)
    user.groups.set(Group.objects.filter(name__in=groups))
    return user


def key_of(user: User, *scopes: str, agents: Sequence[str] | None = None) -> str:
    """Make a key and give its text."""
    return keys.mint(Wish(user, "tests", scopes, agents), now=datetime.now(UTC)).text


def client_with(key: str) -> Client:
    """Make a client that sends a key."""
    return Client(headers={"X-API-Key": key})
