"""What publishing and validating say of a filter that MongoDB cannot evaluate: never what is in a document."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from pymongo import MongoClient
from pymongo.database import Database

from agents_app.errors import SpecInvalid
from agents_app.spec import AgentSpec, parse_spec
from mongoclaw_project import watch_check
from mongoclaw_project.config import load_settings

SECRET = "the-code-is-4711"
QUOTING = {"$expr": {"$eq": [{"$toInt": "$text"}, 1]}}
"""MongoDB's own error for it has the text of the document."""


def config(database: str, filter_: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": "triage",
        "name": "Triage",
        "watch": {"database": database, "collection": "tickets", "filter": filter_},
        "ai": {"provider": "sandbox", "model": "sandbox-1", "prompt": "Sort: {{ document.text }}"},
        "write": {"target_field": "ai"},
    }


def said(client: MongoClient[Any], spec: AgentSpec) -> str:
    with pytest.raises(SpecInvalid) as caught:
        list(watch_check.check_on(client, spec))
    [problem] = caught.value.errors
    assert problem.path == "watch.filter"
    return problem.message


def test_a_filter_that_fails_on_a_document_is_refused_without_quoting_it(
    mongo_db: Database[Any],
) -> None:
    mongo_db.tickets.insert_one({"text": SECRET})
    message = said(mongo_db.client, parse_spec(config(mongo_db.name, QUOTING)).spec)
    assert message == "MongoDB cannot evaluate it: it fails on a document (ConversionFailure)"


def test_what_is_wrong_with_the_filter_itself_is_said_in_the_servers_words(mongo_db: Database[Any]) -> None:
    mongo_db.tickets.insert_one({"text": SECRET})
    wrong = {"$expr": {"$nosuch": 1}}
    assert "$nosuch" in said(mongo_db.client, parse_spec(config(mongo_db.name, wrong)).spec)


@pytest.mark.django_db
def test_whoever_may_not_publish_asks_no_document_by_validating(
    mongo_db: Database[Any], mongo_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    mongo = load_settings({"MONGOCLAW_MONGODB__URI": mongo_uri})
    monkeypatch.setattr(watch_check, "current", lambda: mongo)
    mongo_db.tickets.insert_one({"text": SECRET})
    verdicts = {}
    for name, permissions in {"viewer": ["view_agent"], "editor": ["view_agent", "change_agent"]}.items():
        user = User.objects.create(username=name)
        user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
        client = Client()
        client.force_login(user)
        answer = client.post(
            "/api/v1/agents/validate", config(mongo_db.name, QUOTING), content_type="application/json"
        )
        assert SECRET not in answer.content.decode()
        verdicts[name] = answer.json()["valid"]
    assert verdicts == {"viewer": True, "editor": False}
