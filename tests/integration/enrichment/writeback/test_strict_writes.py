from __future__ import annotations

import random
import threading
from collections.abc import Callable
from typing import Any

import pytest
from bson import Decimal128, Int64
from bson.datetime_ms import DatetimeMS
from pymongo import MongoClient
from pymongo.database import Database

from enrichment.writeback import DOCUMENT_CODEC, ReadState, apply_write, plan_write
from tests.integration.enrichment.writeback.conftest import NOW, MakeSpec, Write

Documents = Database[dict[str, Any]]
STRICT = {"consistency_mode": "strict_post_commit"}
HASHED = {**STRICT, "require_document_hash_match": True}

# Before and after: each pair differs in a way that some equality of MongoDB or Python does not see.
EDITS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "another text": ({"text": "a"}, {"text": "b"}),
    "another case under the collation": ({"text": "yes"}, {"text": "YES"}),
    "another case inside an object": ({"text": {"a": ["yes"]}}, {"text": {"a": ["Yes"]}}),
    "missing became null": ({}, {"text": None}),
    "null became missing": ({"text": None}, {}),
    "a value became an array of it": ({"text": "a"}, {"text": ["a"]}),
    "an array became its element": ({"text": ["a"]}, {"text": "a"}),
    "an element was added": ({"text": ["a"]}, {"text": ["a", "b"]}),
    "one became true": ({"text": 1}, {"text": True}),
    "one became one point zero": ({"text": 1}, {"text": 1.0}),
    "an int became a long": ({"text": 1}, {"text": Int64(1)}),
    "a double became a decimal": ({"text": 1.0}, {"text": Decimal128("1")}),
    "an empty object became missing": ({"text": {}}, {}),
    "a nested null became missing": ({"text": {"a": None}}, {"text": {}}),
    "a text with a dollar": ({"text": "$owner"}, {"text": "$other", "owner": "$owner"}),
    "a date beyond Python": ({"text": DatetimeMS(2**60)}, {"text": DatetimeMS(2**60 + 1)}),
    "a nested field name with a dollar": ({"text": {"$gt": 1}}, {"text": {"$gt": 2}}),
}


@pytest.fixture
def tickets(mongo_db: Documents) -> Any:
    mongo_db.create_collection("tickets", collation={"locale": "en", "strength": 2})
    return mongo_db.get_collection("tickets", codec_options=DOCUMENT_CODEC)


@pytest.mark.parametrize("reads", [frozenset({"text"}), None], ids=["one field read", "all fields read"])
@pytest.mark.parametrize("name", EDITS)
def test_an_edit_of_an_input_is_never_overwritten(
    name: str, reads: frozenset[str] | None, tickets: Any, make_spec: MakeSpec, write: Write
) -> None:
    before, after = EDITS[name]
    tickets.insert_one({"_id": 1, **before})
    read = ReadState(tickets.find_one({"_id": 1}), reads)
    tickets.replace_one({"_id": 1}, after)
    result = write(make_spec(execution=STRICT), 1, {"category": "bug"}, None, read)
    assert (result.outcome, result.reason) == ("conflict", "strict_version_conflict")
    assert tickets.find_one({"_id": 1}) == {"_id": 1, **after}


@pytest.mark.parametrize("reads", [frozenset({"text"}), None], ids=["one field read", "all fields read"])
@pytest.mark.parametrize("name", EDITS)
def test_an_input_of_any_kind_that_did_not_change_is_no_conflict(
    name: str, reads: frozenset[str] | None, tickets: Any, make_spec: MakeSpec, write: Write
) -> None:
    before, _ = EDITS[name]
    tickets.insert_one({"_id": 1, **before})
    read = ReadState(tickets.find_one({"_id": 1}), reads)
    assert write(make_spec(execution=STRICT), 1, {"category": "bug"}, None, read).outcome == "written"
    assert tickets.find_one({"_id": 1})["_mongoclaw_version"] == 1


def test_fields_that_the_prompt_did_not_use_may_change(
    tickets: Any, make_spec: MakeSpec, write: Write
) -> None:
    tickets.insert_one({"_id": 1, "text": "a", "views": 1})
    read = ReadState(tickets.find_one({"_id": 1}), frozenset({"text"}))
    tickets.update_one({"_id": 1}, {"$inc": {"views": 1}})
    assert write(make_spec(execution=STRICT), 1, {"category": "bug"}, None, read).outcome == "written"


def test_under_the_hash_guard_any_edit_counts_and_so_does_a_new_field(
    tickets: Any, make_spec: MakeSpec, write: Write
) -> None:
    tickets.insert_one({"_id": 1, "text": "a"})
    read = ReadState(tickets.find_one({"_id": 1}), frozenset({"text"}))
    tickets.update_one({"_id": 1}, {"$set": {"views": 1}})
    result = write(make_spec(execution=HASHED), 1, {"category": "bug"}, None, read)
    assert (result.outcome, result.reason) == ("conflict", "hash_conflict")


def test_the_hash_guard_does_not_see_the_agents_own_writes_nor_other_agents_metadata(
    tickets: Any, make_spec: MakeSpec, write: Write, run: Callable[..., Any]
) -> None:
    spec = make_spec(execution=HASHED)
    tickets.insert_one({"_id": 1, "text": "a"})
    read = ReadState(tickets.find_one({"_id": 1}))
    assert write(spec, 1, {"category": "bug"}, run("run-1", event=1), read).outcome == "written"
    tickets.update_one({"_id": 1}, {"$set": {"_ai_metadata.agents.other": {"execution_id": "x"}}})
    assert write(spec, 1, {"category": "idea"}, run("run-2", event=2), read).outcome == "written"


@pytest.mark.parametrize("name", ["a.b", "$a", "", "a b", "ä", "a.$b"])
def test_field_names_of_any_form_are_compared(
    name: str, mongo_db: Documents, make_spec: MakeSpec, write: Write, run: Callable[..., Any]
) -> None:
    for reads in (frozenset({name}), None):
        mongo_db.tickets.delete_many({})
        _replace(mongo_db, {"_id": 1, name: "x"})
        read = ReadState(mongo_db.tickets.find_one() or {}, reads)
        spec = make_spec(execution=STRICT)
        assert write(spec, 1, {"category": "bug"}, run("run-1", event=1), read).outcome == "written"
        _replace(mongo_db, {"_id": 1, name: "y"})
        assert write(spec, 1, {"category": "bug"}, run("run-2", event=2), read).outcome == "conflict"


def _replace(database: Documents, document: dict[str, Any]) -> None:
    database.tickets.delete_one({"_id": document["_id"]})
    database.command("insert", "tickets", documents=[document])


def test_a_document_that_left_the_watch_filter_is_not_written(
    tickets: Any, make_spec: MakeSpec, write: Write
) -> None:
    tickets.insert_one({"_id": 1, "text": "a", "status": "open"})
    read = ReadState(tickets.find_one({"_id": 1}), frozenset({"text"}))
    tickets.update_one({"_id": 1}, {"$set": {"status": "closed"}})
    spec = make_spec(execution=STRICT, watch={"filter": {"status": "open"}})
    assert write(spec, 1, {"category": "bug"}, None, read).outcome == "conflict"


def test_a_strict_write_that_was_done_is_told_apart_from_a_conflict(
    tickets: Any, make_spec: MakeSpec, write: Write, run: Callable[..., Any]
) -> None:
    spec = make_spec(execution=STRICT, watch={"filter": {"category": {"$exists": False}}})
    tickets.insert_one({"_id": 1, "text": "a"})
    read = ReadState(tickets.find_one({"_id": 1}), frozenset({"text"}))
    assert write(spec, 1, {"category": "bug"}, run(claim=1), read).outcome == "written"
    assert write(spec, 1, {"category": "bug"}, run(claim=2), read).outcome == "already_written"
    tickets.delete_one({"_id": 1})
    assert write(spec, 1, {"category": "bug"}, run(claim=3), read).outcome == "document_not_found"


def test_a_strict_write_to_another_collection_depends_on_the_watched_document(
    mongo_db: Documents, make_spec: MakeSpec, write: Write, run: Callable[..., Any]
) -> None:
    spec = make_spec(execution=STRICT, write={"target_collection": "results"})
    mongo_db.tickets.insert_one({"_id": 1, "text": "a"})
    read = ReadState(mongo_db.tickets.find_one() or {}, frozenset({"text"}))
    assert write(spec, 1, {"category": "bug"}, run("run-1", event=1), read).outcome == "written"
    assert write(spec, 1, {"category": "bug"}, run("run-1", event=1), read).outcome == "already_written"
    mongo_db.tickets.update_one({"_id": 1}, {"$set": {"text": "b"}})
    assert write(spec, 1, {"category": "old"}, run("run-2", event=2), read).outcome == "conflict"
    mongo_db.tickets.delete_one({"_id": 1})
    assert write(spec, 1, {"category": "old"}, run("run-3", event=3), read).outcome == "document_not_found"
    assert [document["category"] for document in mongo_db.results.find()] == ["bug"]


@pytest.mark.parametrize("target", ["tickets", "results"])
def test_five_hundred_racing_edits_leave_no_stale_answer(
    *,
    target: str,
    mongo: MongoClient[dict[str, Any]],
    mongo_db: Documents,
    make_spec: MakeSpec,
    run: Callable[..., Any],
) -> None:
    """Each answer names the text that it was made from; an answer beside another text is stale.

    The edit of a document and the write of the answer to its former state start at the same moment.
    """
    spec = make_spec(execution=STRICT, write={} if target == "tickets" else {"target_collection": target})
    mongo_db.tickets.insert_many({"_id": number, "text": f"old {number}"} for number in range(500))
    reads = list(mongo_db.tickets.find())
    outcomes: list[str] = []

    def edit(read: dict[str, Any]) -> None:
        change = {"text": f"new {read['_id']}", "before": "$_mongoclaw_version"}
        mongo_db.tickets.update_one({"_id": read["_id"]}, [{"$set": change}])

    def answer(read: dict[str, Any]) -> None:
        state = ReadState(read, frozenset({"text"}))
        plan = plan_write(spec, read["_id"], {"category": read["text"]}, run(), state, NOW)
        outcomes.append(apply_write(mongo, plan).outcome)

    _race(mongo_db, reads, edit, answer)
    # `before` is what an edit saw: a strict write that it did not see came after it.
    stale = {"_mongoclaw_version": {"$exists": True}, "before": {"$exists": False}}
    assert mongo_db.tickets.count_documents(stale) == 0
    assert mongo_db[target].count_documents({"category": {"$exists": True}}) == outcomes.count("written")
    assert set(outcomes) == {"written", "conflict"}


def _race(
    database: Documents, reads: list[dict[str, Any]], *runners: Callable[[dict[str, Any]], None]
) -> None:
    barrier = threading.Barrier(len(runners), timeout=60)

    def work(runner: Callable[[dict[str, Any]], None], chance: random.Random) -> None:
        for read in reads:
            barrier.wait()
            for _ in range(chance.randrange(3)):
                database.command("ping")
            runner(read)

    threads = [
        threading.Thread(target=work, args=(runner, random.Random(seed)))
        for seed, runner in enumerate(runners)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_a_collection_with_a_collation_still_finds_the_document_by_its_index(
    tickets: Any, mongo: MongoClient[dict[str, Any]], make_spec: MakeSpec, run: Callable[..., Any]
) -> None:
    tickets.insert_many({"_id": f"id-{number}", "text": "x"} for number in range(50))
    read = ReadState(tickets.find_one({"_id": "id-7"}))
    plan = plan_write(make_spec(execution=STRICT), "id-7", {"category": "bug"}, run(), read, NOW)
    explained = mongo[plan.database].command(
        "explain",
        {"update": plan.collection, "updates": [{"q": plan.filter, "u": plan.update}]},
        verbosity="executionStats",
    )
    assert explained["executionStats"]["totalDocsExamined"] == 1
