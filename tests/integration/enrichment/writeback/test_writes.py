from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from bson import Binary, Code, DBRef, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp
from bson.datetime_ms import DatetimeMS
from pymongo import MongoClient
from pymongo.database import Database

from enrichment.errors import WriteRefused
from enrichment.writeback import DOCUMENT_CODEC, plan_write, read_provenance
from tests.integration.enrichment.writeback.conftest import NOW, MakeSpec, Write

Documents = Database[dict[str, Any]]

IDS = [
    ObjectId("65f0c0ffee65f0c0ffee65f1"),
    "65f0c0ffee65f0c0ffee65f0",  # text of 24 hex digits stays text
    "plain text",
    "",
    0,
    7,
    Int64(2**40),
    1.5,
    float("inf"),
    True,
    False,
    None,
    Decimal128("1.10"),
    Binary(b"\x00\xff", 0),
    Binary(b"\x01" * 16, 3),
    uuid.UUID(int=7),
    datetime(2026, 1, 1, tzinfo=UTC),
    DatetimeMS(-(2**60)),
    DatetimeMS(2**60),
    Timestamp(5, 6),
    {"tenant": "a", "n": 1},
    {"n": 1, "tenant": "a"},
    {},
    DBRef("other", 5),
    MinKey(),
    MaxKey(),
    Code("return 1"),
]


@pytest.mark.parametrize("document_id", IDS, ids=repr)
def test_an_id_of_any_type_is_written_and_only_that_document(
    document_id: object, mongo_db: Documents, make_spec: MakeSpec, write: Write
) -> None:
    tickets = mongo_db.get_collection("tickets", codec_options=DOCUMENT_CODEC)
    tickets.insert_one({"_id": document_id, "text": "x"})
    tickets.insert_one({"_id": "other", "text": "y"})
    read = tickets.find_one({"text": "x"})
    assert read is not None
    assert write(make_spec(), read["_id"], {"category": "bug"}).outcome == "written"
    assert [document["text"] for document in tickets.find({"category": "bug"})] == ["x"]


def test_the_contracts_nine_keys_and_the_agents_own_entry_are_recorded(
    mongo_db: Documents, make_spec: MakeSpec, write: Write, run: Callable[..., Any]
) -> None:
    spec = make_spec()
    mongo_db.tickets.insert_one({"_id": 1})
    write(spec, 1, {"category": "bug"}, run("run-9", event=77, claim=2))
    document = mongo_db.tickets.find_one({"_id": 1})
    assert document is not None
    metadata = dict(document["_ai_metadata"])
    agents = metadata.pop("agents")
    assert metadata == {
        "processed_at": NOW,
        "work_item_id": "run-9",
        "source_work_item_id": "run-9",
        "source_agent_id": "triage",
        "model": "gpt-4o-mini",
        "provider": "sandbox",
        "tokens": 42,
        "cost_usd": 0.000_013_5,
        "latency_ms": 12.5,
    }
    assert agents["triage"]["as_of"] == Timestamp(77, 1)
    trace = read_provenance(document, spec)
    assert trace is not None
    assert (trace.execution_id, trace.version, trace.input_hash, trace.claim) == ("run-9", 3, "0" * 32, 2)


def test_two_agents_keep_their_own_entries(mongo_db: Documents, make_spec: MakeSpec, write: Write) -> None:
    mongo_db.tickets.insert_one({"_id": 1})
    write(make_spec("one", write={"target_field": "a"}), 1, {"category": "x"})
    write(make_spec("two", write={"target_field": "b"}), 1, {"category": "y"})
    document = mongo_db.tickets.find_one({"_id": 1}) or {}
    assert set(document["_ai_metadata"]["agents"]) == {"one", "two"}
    assert (document["a"], document["b"]) == ({"category": "x"}, {"category": "y"})


STRATEGIES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "merge": ({}, {"category": "bug", "score": 2, "old": {"kept": 1}}),
    "merge into a field": (
        {"target_field": "old"},
        {"old": {"kept": 1, "category": "bug", "score": 2}},
    ),
    "merge with a field map": (
        {"fields": {"category": "old.kind"}},
        {"old": {"kept": 1, "kind": "bug"}},
    ),
    "replace": ({"strategy": "replace"}, {"category": "bug", "score": 2, "old": {"kept": 1}}),
    "replace a field": (
        {"strategy": "replace", "target_field": "old"},
        {"old": {"category": "bug", "score": 2}},
    ),
    "append": (
        {"strategy": "append", "array_field": "log"},
        {"log": [{"category": "bug", "score": 2}], "old": {"kept": 1}},
    ),
    "nested": (
        {"strategy": "nested", "path": "old.deep"},
        {"old": {"kept": 1, "deep": {"category": "bug", "score": 2}}},
    ),
}


@pytest.mark.parametrize("metadata", [True, False], ids=["with metadata", "without metadata"])
@pytest.mark.parametrize("name", STRATEGIES)
def test_each_strategy_run_twice_gives_the_same_document(
    *,
    name: str,
    metadata: bool,
    mongo_db: Documents,
    make_spec: MakeSpec,
    write: Write,
    run: Callable[..., Any],
) -> None:
    settings, expected = STRATEGIES[name]
    spec = make_spec(write={**settings, "include_metadata": metadata})
    mongo_db.tickets.insert_one({"_id": 1, "old": {"kept": 1}})
    answer = {"category": "bug", "score": 2}
    assert write(spec, 1, answer, run(claim=1)).outcome == "written"
    first = mongo_db.tickets.find_one({"_id": 1}) or {}
    again = write(spec, 1, answer, run(claim=2))
    assert again.outcome == "already_written" or not again.changed
    assert mongo_db.tickets.find_one({"_id": 1}) == first
    assert {key: value for key, value in first.items() if key not in ("_id", "_ai_metadata")} == expected


def test_replace_removes_declared_fields_that_the_new_answer_lacks(
    mongo_db: Documents, make_spec: MakeSpec, write: Write, run: Callable[..., Any]
) -> None:
    spec = make_spec(write={"strategy": "replace"})
    mongo_db.tickets.insert_one({"_id": 1, "owner": "me"})
    write(spec, 1, {"category": "bug", "score": 1}, run("run-1", event=1))
    write(spec, 1, {"category": "idea"}, run("run-2", event=2))
    document = mongo_db.tickets.find_one({"_id": 1}) or {}
    assert document["category"] == "idea"
    assert "score" not in document
    assert document["owner"] == "me"


def test_fields_that_the_agent_does_not_declare_are_never_written(
    mongo_db: Documents, make_spec: MakeSpec, write: Write, run: Callable[..., Any]
) -> None:
    mongo_db.tickets.insert_one({"_id": 1, "owner": "me", "balance": 5})
    answer = {"category": "bug", "owner": "thief", "balance": 0, "_id": 2}
    plan = plan_write(make_spec(), 1, answer, run(), None, NOW)
    assert plan.dropped == ("owner", "balance", "_id")
    write(make_spec(), 1, answer)
    document = mongo_db.tickets.find_one({"_id": 1}) or {}
    assert (document["category"], document["owner"], document["balance"]) == ("bug", "me", 5)


def test_an_answer_without_any_declared_field_is_refused(make_spec: MakeSpec, write: Write) -> None:
    with pytest.raises(WriteRefused, match="none of the fields"):
        write(make_spec(), 1, {"owner": "thief"})


def test_a_document_that_is_gone_is_told_and_not_brought_back(
    mongo_db: Documents, make_spec: MakeSpec, write: Write
) -> None:
    assert write(make_spec(), 1, {"category": "bug"}).outcome == "document_not_found"
    assert mongo_db.tickets.count_documents({}) == 0


def test_another_collection_receives_a_new_document_once(
    mongo_db: Documents, make_spec: MakeSpec, write: Write, run: Callable[..., Any]
) -> None:
    spec = make_spec(write={"target_collection": "results", "strategy": "append", "array_field": "log"})
    mongo_db.tickets.insert_one({"_id": 1})
    assert write(spec, 1, {"category": "bug"}, run("run-1", event=1)).outcome == "written"
    assert write(spec, 1, {"category": "bug"}, run("run-1", event=1, claim=2)).outcome == "already_written"
    assert write(spec, 1, {"category": "old"}, run("run-0", event=0)).outcome == "superseded"
    assert write(spec, 1, {"category": "new"}, run("run-2", event=2)).outcome == "written"
    (document,) = mongo_db.results.find()
    assert [entry["category"] for entry in document["log"]] == ["bug", "new"]
    assert mongo_db.tickets.find_one() == {"_id": 1}


def test_a_worker_that_wakes_up_late_writes_nothing(
    mongo_db: Documents, make_spec: MakeSpec, write: Write, run: Callable[..., Any]
) -> None:
    spec = make_spec()
    mongo_db.tickets.insert_one({"_id": 1})
    write(spec, 1, {"category": "new"}, run("run-2", event=200))
    before = mongo_db.tickets.find_one()
    assert write(spec, 1, {"category": "old"}, run("run-1", event=100, claim=9)).outcome == "superseded"
    assert mongo_db.tickets.find_one() == before


def test_a_damaged_entry_does_not_lock_the_document(
    mongo_db: Documents, make_spec: MakeSpec, write: Write
) -> None:
    for number, entry in enumerate([{}, {"as_of": "later", "claim": "x"}, {"as_of": None}, {"a": [1]}]):
        mongo_db.tickets.insert_one({"_id": number, "_ai_metadata": {"agents": {"triage": entry}}})
        assert write(make_spec(), number, {"category": "bug"}).outcome == "written"


@pytest.mark.parametrize(
    ("document", "settings", "named"),
    [
        ({"_ai_metadata": "mine"}, {}, "'_ai_metadata' holds text"),
        ({"_ai_metadata": [1]}, {}, "'_ai_metadata' holds an array"),
        ({"_ai_metadata": {"agents": 3}}, {}, "'_ai_metadata.agents' holds a number"),
        ({"ai": 5}, {"target_field": "ai"}, "'ai' holds a number"),
        ({"log": {}}, {"strategy": "append", "array_field": "log"}, "'log' holds"),
        ({"a": True}, {"strategy": "nested", "path": "a.b"}, "'a' holds true or false"),
    ],
)
def test_something_else_in_the_way_is_refused_by_name_and_nothing_is_written(
    *,
    document: dict[str, Any],
    settings: dict[str, Any],
    named: str,
    mongo_db: Documents,
    make_spec: MakeSpec,
    write: Write,
) -> None:
    mongo_db.tickets.insert_one({"_id": 1, **document})
    with pytest.raises(WriteRefused, match=named):
        write(make_spec(write=settings), 1, {"category": "bug"})
    assert mongo_db.tickets.find_one() == {"_id": 1, **document}


@pytest.mark.parametrize(
    ("document", "settings", "path"),
    [
        ({"_ai_metadata": None}, {}, ()),
        ({"_ai_metadata": {"agents": None}}, {}, ()),
        ({"ai": None}, {"target_field": "ai"}, ("ai",)),
        ({"ai": None, "_ai_metadata": None}, {"target_field": "ai.deep"}, None),
        ({"log": None}, {"strategy": "append", "array_field": "log"}, ("log", 0)),
        ({"a": {"b": None}}, {"strategy": "nested", "path": "a.b"}, ("a", "b")),
    ],
)
def test_null_where_an_object_is_declared_becomes_the_object(
    *,
    document: dict[str, Any],
    settings: dict[str, Any],
    path: tuple[Any, ...] | None,
    mongo_db: Documents,
    make_spec: MakeSpec,
    write: Write,
    run: Callable[..., Any],
) -> None:
    mongo_db.tickets.insert_one({"_id": 1, **document})
    spec = make_spec(write=settings)
    if path is None:  # null above the declared field is not the agent's to replace
        with pytest.raises(WriteRefused, match="'ai' holds null"):
            write(spec, 1, {"category": "bug"})
        return
    assert write(spec, 1, {"category": "bug"}).outcome == "written"
    assert write(spec, 1, {"category": "bug"}, run(claim=2)).outcome == "already_written"
    found: Any = mongo_db.tickets.find_one()
    for part in path:
        found = found[part]
    assert found["category"] == "bug"


def test_a_shard_key_is_never_touched(mongo_db: Documents, make_spec: MakeSpec, write: Write) -> None:
    mongo_db.tickets.insert_one({"_id": 1, "category": "region"})
    for protected in ("category", "category.part"):
        with pytest.raises(WriteRefused, match="shard key"):
            write(make_spec(), 1, {"category": "bug"}, protected=frozenset({protected}))


def test_a_document_that_would_grow_too_large_is_refused(
    mongo_db: Documents, make_spec: MakeSpec, write: Write
) -> None:
    mongo_db.tickets.insert_one({"_id": 1, "blob": "x" * (16 * 1024 * 1024 - 200)})
    with pytest.raises(WriteRefused, match="too large"):
        write(make_spec(), 1, {"category": "y" * 1000})
    with pytest.raises(WriteRefused):
        write(make_spec(), 1, {"category": "y" * (17 * 1024 * 1024)})


def test_a_number_beyond_64_bits_is_refused(mongo_db: Documents, make_spec: MakeSpec, write: Write) -> None:
    mongo_db.tickets.insert_one({"_id": 1})
    with pytest.raises(WriteRefused):
        write(make_spec(), 1, {"category": "bug", "score": 2**63})


def test_a_unique_index_of_the_users_is_a_refusal_and_not_a_fence(
    mongo_db: Documents, make_spec: MakeSpec, write: Write
) -> None:
    mongo_db.results.create_index("category", unique=True)
    mongo_db.results.insert_one({"_id": "other", "category": "secret value"})
    spec = make_spec(write={"target_collection": "results"})
    with pytest.raises(WriteRefused) as caught:
        write(spec, 1, {"category": "secret value"})
    assert "secret value" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_the_servers_words_about_a_document_are_not_repeated(
    mongo_db: Documents, make_spec: MakeSpec, write: Write
) -> None:
    mongo_db.create_collection(
        "tickets", validator={"owner": {"$type": "string"}, "category": {"$ne": "bug"}}
    )
    mongo_db.tickets.insert_one({"_id": 1, "owner": "Ada Lovelace"})
    with pytest.raises(WriteRefused, match="validation rules") as caught:
        write(make_spec(), 1, {"category": "bug"})
    assert "Ada" not in str(caught.value)


@pytest.mark.parametrize("collation", [None, {"locale": "en", "strength": 2}])
def test_the_index_on_id_is_used_whatever_the_collections_collation(
    collation: dict[str, Any] | None,
    mongo_db: Documents,
    mongo: MongoClient[dict[str, Any]],
    make_spec: MakeSpec,
    run: Callable[..., Any],
) -> None:
    options: dict[str, Any] = {"collation": collation} if collation else {}
    mongo_db.create_collection("tickets", **options)
    mongo_db.tickets.insert_many({"_id": f"id-{number}"} for number in range(50))
    plan = plan_write(make_spec(), "id-7", {"category": "bug"}, run(), None, NOW)
    explained = mongo[plan.database].command(
        "explain",
        {"update": plan.collection, "updates": [{"q": plan.filter, "u": plan.update}]},
        verbosity="executionStats",
    )
    assert explained["executionStats"]["totalDocsExamined"] == 1


def test_a_regular_expression_in_an_answer_is_a_value(
    mongo_db: Documents, make_spec: MakeSpec, write: Write
) -> None:
    spec = make_spec(write={"strategy": "append", "array_field": "log", "include_metadata": False})
    mongo_db.tickets.insert_one({"_id": 1, "log": [{"category": "abc"}]})
    assert write(spec, 1, {"category": Regex("a.*")}).outcome == "written"
