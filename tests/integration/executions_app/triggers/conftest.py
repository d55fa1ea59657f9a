"""An agent on a real collection, and somebody who may operate it over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.contrib.contenttypes.models import ContentType
from django.test import Client
from pymongo.collection import Collection
from pymongo.database import Database

from agents_app.models import Agent
from agents_app.publish import publish
from agents_app.spec import parse_spec
from mongoclaw_project.config import Loaded, load_settings, loading

Document = dict[str, Any]
Post = Callable[..., Any]


def person(name: str, *codenames: str) -> User:
    """Make a user with permissions on agents."""
    user = User.objects.create(username=name)
    kind = ContentType.objects.get_for_model(Agent)
    for codename in codenames:
        found, _ = Permission.objects.get_or_create(codename=codename, content_type=kind)
        user.user_permissions.add(found)
    return user


def client_of(user: User) -> Client:
    """Log somebody in."""
    client = Client(raise_request_exception=False)
    client.force_login(user)
    return client


@pytest.fixture
def tickets(
    transactional_db: None, mongo_uri: str, mongo_db: Database[Document], monkeypatch: pytest.MonkeyPatch
) -> Collection[Document]:
    """The collection that the agent `triage` watches."""
    settings = load_settings({"MONGOCLAW_MONGODB__URI": mongo_uri})
    monkeypatch.setattr(loading, "_current", lambda: Loaded(settings, ()))
    publish_triage(mongo_db.name)
    return mongo_db.tickets


def publish_triage(database: str, **changes: Any) -> None:
    """Publish the agent, at work."""
    spec = {
        "id": "triage",
        "name": "Triage",
        "watch": {"database": database, "collection": "tickets"},
        "ai": {"provider": "sandbox", "model": "sandbox-1", "prompt": "Sort: {{ document.text }}"},
        "write": {"target_field": "ai"},
        **changes,
    }
    publish(parse_spec(spec), by="tests", now=datetime.now(UTC))


@pytest.fixture
def post(tickets: Collection[Document]) -> Post:
    """Trigger the agent as somebody who may."""
    client = client_of(person("alice", "operate_agent"))

    def send(body: object, agent_id: str = "triage", **headers: str) -> Any:
        return client.post(
            f"/api/v1/webhooks/trigger/{agent_id}",
            data=body,
            content_type="application/json",
            headers=headers,
        )

    return send
