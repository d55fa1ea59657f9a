"""The catalog over HTTP: what the caller's agents watch, and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from bson import Binary, Decimal128, ObjectId
from django.contrib.auth.models import User
from django.test import Client
from pymongo import MongoClient
from pymongo.database import Database

from agents_app.models import Agent
from agents_app.publish import publish
from agents_app.spec import parse_spec
from executions_app import catalog
from mongoclaw_project.config import Loaded, load_settings, loading
from tests.integration.executions_app.conftest import NOW
from tests.integration.executions_app.test_executions_api import bind, superuser
from tests.people import signed_in

URL = "/api/v1/catalog"
Document = dict[str, Any]


@pytest.fixture
def watcher(transactional_db: None, mongo_db: Database[Document]) -> Agent:
    """An agent that watches `tickets` of the test's database."""
    spec = {
        "id": "triage",
        "name": "Triage",
        "watch": {"database": mongo_db.name, "collection": "tickets"},
        "ai": {"provider": "sandbox", "model": "sandbox-1", "prompt": "Sort"},
        "write": {"target_field": "ai", "metadata_field": "_by_ai"},
    }
    return publish(parse_spec(spec), by="tests", now=NOW).agent


@pytest.fixture(autouse=True)
def _on_the_test_s_server(mongo_uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load_settings({"MONGOCLAW_MONGODB__URI": mongo_uri, "MONGOCLAW_MONGODB__DATABASE": "own"})
    monkeypatch.setattr(loading, "_current", lambda: Loaded(settings, ()))


def profile(client: Client, database: Database[Document], collection: str = "tickets", **more: Any) -> Any:
    query = {"database": database.name, "collection": collection, **more}
    return client.get(f"{URL}/collection-profile", query)


def test_a_collection_is_told_with_its_fields_and_how_much_is_enriched(
    watcher: Agent, mongo_db: Database[Document]
) -> None:
    tickets = mongo_db["tickets"]
    tickets.insert_many(
        [
            {"_id": 1, "text": "x" * 500, "by": {"who": {"name": {"deep": 1}}}, "tags": ["a"]},
            {"_id": 2, "text": None, "at": datetime(2026, 1, 1, tzinfo=UTC), "_ai_metadata": {"tokens": 7}},
            {"_id": 3, "n": 1.5, "d": Decimal128("1.10"), "o": ObjectId(), "_by_ai": {}, "ai_triage": True},
            {"_id": 4, "raw": Binary(b"\xff"), "nan": float("nan")},
        ]
    )

    body = profile(superuser("root"), mongo_db).json()

    assert body["stats"] == {
        "total_docs": 4,
        "enriched_docs": 2,
        "ai_triage_docs": 1,
        "enrichment_pct": 50.0,
        "estimated": False,
    }
    assert [agent["id"] for agent in body["applied_agents"]] == ["triage"]
    assert body["applied_agents"][0]["consistency_mode"] == "eventual"
    fields = {entry["path"]: entry for entry in body["schema"]}
    assert (fields["text"]["types"], len(fields["text"]["example"])) == (["null", "string"], 200)
    assert (fields["by.who.name"]["example"], "by.who.name.deep" in fields) == ("object", False)
    assert (fields["tags"]["example"], fields["d"]["types"]) == ("array", ["Decimal128"])
    assert fields["_id"]["seen_in_samples"] == 4
    assert [document["_id"] for document in body["recent_documents"]] == [4, 3, 2, 1]
    assert body["recent_documents"][2] == {"_id": 2, "_ai_metadata": {"tokens": 7}}
    assert profile(superuser("boss"), mongo_db, sample_size=9_999).json()["sample_size"] == 200
    assert profile(superuser("chief"), mongo_db, sample_size=1).json()["schema"][0]["seen_in_samples"] == 1


def test_a_long_collection_is_estimated(
    watcher: Agent, mongo_db: Database[Document], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalog, "COUNTED", 10)
    monkeypatch.setattr(catalog, "SAMPLED", 20)
    mongo_db["tickets"].insert_many([{"_ai_metadata": {}} for _ in range(40)])

    stats = profile(superuser("root"), mongo_db).json()["stats"]
    assert stats["estimated"] is True
    assert (stats["total_docs"], stats["enriched_docs"], stats["enrichment_pct"]) == (40, 40, 100.0)


def test_whoever_is_no_superuser_sees_watched_collections_only(
    watcher: Agent, mongo_db: Database[Document]
) -> None:
    mongo_db["tickets"].insert_one({"a": 1})
    mongo_db["salaries"].insert_one({"a": 1})
    user = signed_in("bob", "view_agent", "view_execution")

    overview = user.get(f"{URL}/overview").json()

    assert overview["databases"] == [{"database": mongo_db.name, "collections": ["tickets"]}]
    assert overview["watched_collections"] == [
        {"database": mongo_db.name, "collection": "tickets", "agent_ids": ["triage"], "agent_count": 1}
    ]
    assert profile(user, mongo_db).status_code == 200
    assert profile(user, mongo_db, "salaries").status_code == 404
    mine = superuser("root").get(f"{URL}/overview").json()["databases"]
    assert {"database": mongo_db.name, "collections": ["salaries", "tickets"]} in mine


def test_nobody_sees_the_databases_of_mongodb_or_of_mongoclaw(
    watcher: Agent, mongo: MongoClient[Document], mongo_db: Database[Document]
) -> None:
    mongo["own"]["leases"].insert_one({})
    root = superuser("root")
    names = {found["database"] for found in root.get(f"{URL}/overview").json()["databases"]}
    mongo.drop_database("own")

    assert names.isdisjoint({"admin", "config", "local", "own"})
    for database, collection in (
        ("local", "oplog.rs"),
        ("admin", "system.users"),
        ("own", "leases"),
        (".", "$"),
    ):
        answer = root.get(f"{URL}/collection-profile?database={database}&collection={collection}")
        assert answer.status_code == 404
    assert root.get(f"{URL}/collection-profile", {"database": "a"}).status_code == 422


def test_a_key_that_is_bound_to_agents_sees_their_collections(
    watcher: Agent, mongo_db: Database[Document], monkeypatch: pytest.MonkeyPatch
) -> None:
    bind(monkeypatch, "other")
    root = superuser("root")
    assert root.get(f"{URL}/overview").json() == {"databases": [], "watched_collections": []}
    assert profile(root, mongo_db).status_code == 404


def test_documents_are_shown_to_those_who_may_see_executions(
    watcher: Agent, mongo_db: Database[Document]
) -> None:
    assert Client().get(f"{URL}/overview").status_code == 401
    assert profile(signed_in("eve", "view_agent"), mongo_db).status_code == 403
    assert User.objects.count() == 1
