from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.database import Database
from pymongo.errors import OperationFailure
from pymongo.uri_parser import parse_uri

from agents_app.errors import Decision
from enrichment.errors import MongoDenied, MongoMisconfigured, MongoUnavailable, WriteRefused
from enrichment.mongo_errors import mongo_errors
from enrichment.writeback import ReadState, apply_write, plan_write
from tests.integration.enrichment.writeback.conftest import NOW, MakeSpec
from tests.integration.enrichment.writeback.severed_line import SeveredLine

Documents = Database[dict[str, Any]]


@pytest.fixture
def line(mongo_uri: str) -> Iterator[SeveredLine]:
    severed = SeveredLine(parse_uri(mongo_uri)["nodelist"][0])
    yield severed
    severed.close()


@pytest.fixture
def fragile(line: SeveredLine) -> Iterator[MongoClient[dict[str, Any]]]:
    """A client that does not try again by itself, on the line that breaks."""
    with MongoClient[dict[str, Any]](
        "127.0.0.1", line.port, directConnection=True, retryWrites=False, serverSelectionTimeoutMS=5000
    ) as client:
        yield client


CASES: dict[str, dict[str, Any]] = {
    "append": {"strategy": "append", "array_field": "log"},
    "append without metadata": {"strategy": "append", "array_field": "log", "include_metadata": False},
    "append elsewhere": {"strategy": "append", "array_field": "log", "target_collection": "results"},
    "merge": {},
}


@pytest.mark.parametrize("name", CASES)
def test_a_write_whose_answer_was_lost_is_not_done_twice(
    *,
    name: str,
    line: SeveredLine,
    fragile: MongoClient[dict[str, Any]],
    mongo: MongoClient[dict[str, Any]],
    mongo_db: Documents,
    make_spec: MakeSpec,
    run: Callable[..., Any],
) -> None:
    spec = make_spec(write=CASES[name])
    mongo_db.tickets.insert_one({"_id": 1, "text": "x"})
    answer = {"category": "bug"}
    line.arm()
    with pytest.raises(MongoUnavailable) as caught:
        apply_write(fragile, plan_write(spec, 1, answer, run(claim=1), None, NOW))
    assert caught.value.decision is Decision.DEFER
    assert line.cuts == 1
    target = mongo_db[CASES[name].get("target_collection", "tickets")]
    first = target.find_one({"_id": 1})
    assert first is not None
    result = apply_write(mongo, plan_write(spec, 1, answer, run(claim=2), None, NOW))
    assert result.outcome == "already_written" or not result.changed
    assert target.find_one({"_id": 1}) == first


def test_a_strict_write_to_another_collection_survives_a_lost_commit(
    *,
    line: SeveredLine,
    fragile: MongoClient[dict[str, Any]],
    mongo: MongoClient[dict[str, Any]],
    mongo_db: Documents,
    make_spec: MakeSpec,
    run: Callable[..., Any],
) -> None:
    spec = make_spec(
        execution={"consistency_mode": "strict_post_commit"},
        write={"target_collection": "results", "strategy": "append", "array_field": "log"},
    )
    mongo_db.tickets.insert_one({"_id": 1, "text": "x"})
    read = ReadState(mongo_db.tickets.find_one() or {}, frozenset({"text"}))
    line.arm("update")
    for client in (fragile, mongo):
        apply_write(client, plan_write(spec, 1, {"category": "bug"}, run(), read, NOW))
    (document,) = mongo_db.results.find()
    assert len(document["log"]) == 1
    assert mongo_db.tickets.find_one({}, {"_id": 0}) == {"text": "x", "_mongoclaw_version": 1}


def test_a_server_that_is_not_there_burns_no_attempt(make_spec: MakeSpec, run: Callable[..., Any]) -> None:
    plan = plan_write(make_spec(), 1, {"category": "bug"}, run(), None, NOW)
    with (
        MongoClient[dict[str, Any]]("127.0.0.1", 1, serverSelectionTimeoutMS=200) as nowhere,
        pytest.raises(MongoUnavailable) as caught,
    ):
        apply_write(nowhere, plan, timeout=1)
    assert caught.value.decision is Decision.DEFER


def test_the_time_allowed_is_kept_while_no_server_answers(
    make_spec: MakeSpec, run: Callable[..., Any]
) -> None:
    plan = plan_write(make_spec(), 1, {"category": "bug"}, run(), None, NOW)
    with MongoClient[dict[str, Any]]("127.0.0.1", 1) as nowhere, pytest.raises(MongoUnavailable):
        apply_write(nowhere, plan, timeout=0.3)  # the client's own limit is 30 s, this test's 120


def test_what_the_server_says_about_a_document_is_in_no_traceback(mongo_db: Documents) -> None:
    mongo_db.people.insert_one({"_id": 1, "name": {"first": "Ada Lovelace"}})
    with pytest.raises(WriteRefused, match="in the way") as caught, mongo_errors("write to people"):
        mongo_db.people.update_one({"_id": 1}, {"$set": {"name.first.x": 1}})
    text = "".join(traceback.format_exception(caught.value))
    assert "Ada" not in text


def test_a_view_cannot_be_written_and_says_so_for_good(
    mongo: MongoClient[dict[str, Any]], mongo_db: Documents, make_spec: MakeSpec, run: Callable[..., Any]
) -> None:
    mongo_db.create_collection("source")
    mongo_db.command("create", "tickets", viewOn="source", pipeline=[])
    with pytest.raises(MongoMisconfigured):
        apply_write(mongo, plan_write(make_spec(), 1, {"category": "bug"}, run(), None, NOW))


def test_a_command_that_is_not_allowed_is_told_as_such() -> None:
    with pytest.raises(MongoDenied) as caught, mongo_errors("list users"):
        raise OperationFailure("not authorized on admin to execute command {secret: 1}", 13)
    assert str(caught.value) == "list users: the user has no right to do that (MongoDB error 13)"
