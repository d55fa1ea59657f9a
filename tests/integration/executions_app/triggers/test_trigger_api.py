"""Triggering an agent over HTTP: which document it means, and what is answered."""

from __future__ import annotations

from typing import Any

import pytest
from bson import ObjectId
from django.contrib.auth.models import User
from django.test import Client
from pymongo.collection import Collection

from agents_app import publish as publishing
from executions_app.models import Execution
from tests.integration.executions_app.conftest import NOW
from tests.integration.executions_app.triggers.conftest import Post, client_of, person, publish_triage

Document = dict[str, Any]
HEX = "5f5f5f5f5f5f5f5f5f5f5f5f"


def test_a_new_document_is_inserted_and_its_run_is_answered(
    post: Post, tickets: Collection[Document]
) -> None:
    answer = post({"document": {"text": "The invoice is wrong", "at": {"$date": "2026-01-01T00:00:00Z"}}})

    assert answer.status_code == 202
    run = answer.json()
    stored = tickets.find_one()
    assert stored is not None
    assert stored["at"].year == 2026
    assert (run["document_id"], run["agent_id"]) == (str(stored["_id"]), "triage")
    assert (run["operation"], run["status"]) == ("trigger", "pending")
    assert run["started_at"]
    row = Execution.objects.get(id=run["id"])
    assert row.requested, "an end that the official clients do not know is told as one that they do"
    assert (row.document_key, row.cascade, row.priority) == (
        f'{{"_id": {{"$oid": "{stored["_id"]}"}}}}',
        False,
        0,
    )


def test_the_run_names_the_request_that_asked_for_it(post: Post, tickets: Collection[Document]) -> None:
    answer = post({"document": {"text": "The invoice is wrong"}})
    assert Execution.objects.get().request_id == answer["X-Request-ID"] != ""


def test_whoever_asked_for_a_run_is_on_record_once_however_often_they_ask(
    post: Post, tickets: Collection[Document]
) -> None:
    tickets.insert_one({"_id": 7})
    for _ in range(2):
        post({"document_id": 7})

    asked = Execution.objects.get().interventions.all()

    assert [str(one) for one in asked] == ["asked for by api:alice"]
    assert asked[0].request_id


def test_a_document_that_is_there_is_run_as_it_is_stored(post: Post, tickets: Collection[Document]) -> None:
    tickets.insert_one({"_id": 7.0, "text": "stored"})

    by_document = post({"document": {"_id": 7, "text": "sent"}})
    by_key = post({"document_id": 7})

    assert tickets.find_one({"_id": 7}) == {"_id": 7.0, "text": "stored"}
    assert by_document.json()["id"] == by_key.json()["id"], "it joins the row that waits"
    assert Execution.objects.get().document_id == "7.0"


@pytest.mark.parametrize("stored", [HEX, ObjectId(HEX)])
@pytest.mark.parametrize("sent", [HEX, {"$oid": HEX}])
def test_hexadecimal_text_means_an_object_id_too(
    post: Post, tickets: Collection[Document], stored: object, sent: object
) -> None:
    tickets.insert_one({"_id": stored})
    found = post({"document_id": sent}).status_code
    assert found == (404 if isinstance(stored, str) and isinstance(sent, dict) else 202)


def test_text_that_means_two_documents_is_asked_about(post: Post, tickets: Collection[Document]) -> None:
    tickets.insert_many([{"_id": HEX}, {"_id": ObjectId(HEX)}])

    unclear = post({"document": {"_id": HEX}})

    assert unclear.status_code == 409
    assert '{"$oid": "…"}' in unclear.json()["detail"]
    assert post({"document_id": {"$oid": HEX}}).status_code == 202


def test_an_id_that_is_not_there_is_inserted_only_with_its_document(
    post: Post, tickets: Collection[Document]
) -> None:
    assert post({"document_id": "gone"}).status_code == 404
    assert post({"document": {"_id": "new", "text": "x"}}).status_code == 202
    assert tickets.find_one() == {"_id": "new", "text": "x"}


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ([], ["body"]),
        ({}, ["body"]),
        ({"document": {}, "document_id": 1}, ["body"]),
        ({"document": "text"}, ["body", "document"]),
        ({"document": {"n": 2**64}}, ["body", "document"]),
        ({"document": {"at": {"$date": "never"}}}, ["body", "document"]),
        ({"document": {"a\0b": 1}}, ["body", "document"]),
        ({"document_id": None}, ["body", "document_id"]),
        ({"document_id": {"$regularExpression": {"pattern": ".*", "options": ""}}}, ["body", "document_id"]),
        ({"document": {"_id": [1]}}, ["body", "document", "_id"]),
        ({"documnet": {}}, ["body", "documnet"]),
    ],
)
def test_a_body_that_is_wrong_is_told_so_by_its_place(
    post: Post, tickets: Collection[Document], body: object, place: list[str]
) -> None:
    answer = post(body)
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == place
    assert not tickets.count_documents({})
    assert not Execution.objects.exists()


def test_what_mongodb_refuses_is_told_without_quoting_it(post: Post, tickets: Collection[Document]) -> None:
    tickets.create_index("email", unique=True)
    tickets.insert_one({"email": "secret@example.com"})

    refused = post({"document": {"email": "secret@example.com"}})

    assert refused.status_code == 409
    assert "another document has the same email" in refused.json()["detail"]
    assert "secret@" not in refused.json()["detail"]
    assert post({"document": {"_id": {"$x": 1}}}).status_code == 409


def test_agents_that_cannot_run_say_what_to_do(post: Post, tickets: Collection[Document]) -> None:
    assert post({"document": {}}, "nobody").status_code == 404
    publishing.set_enabled("triage", False, now=NOW)
    answer = post({"document": {"text": "x"}})
    assert answer.status_code == 409
    assert "mongoclaw agents enable triage" in answer.json()["detail"]
    publish_triage(
        tickets.database.name,
        enabled=True,
        watch={"database": tickets.database.name, "collection": "tickets", "operations": ["delete"]},
        write={"target_field": "ai", "target_collection": "deleted"},
    )
    assert "deletes only" in post({"document": {"text": "x"}}).json()["detail"]
    assert not tickets.count_documents({})


def test_only_those_who_may_operate_trigger_and_only_what_they_see(
    tickets: Collection[Document], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, body = "/api/v1/webhooks/trigger/triage", {"document": {"text": "x"}}

    def sent(client: Client) -> int:
        return client.post(url, data=body, content_type="application/json").status_code

    assert sent(Client()) == 401
    assert sent(client_of(person("eve", "view_agent"))) == 403
    operator = client_of(person("alice", "operate_agent"))
    monkeypatch.setattr(User, "agents", frozenset({"other"}), raising=False)
    assert sent(operator) == 404
    assert not tickets.count_documents({})
    monkeypatch.setattr(User, "agents", frozenset({"triage"}), raising=False)
    assert sent(operator) == 202
