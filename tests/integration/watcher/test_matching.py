"""Which events are an agent's: filters evaluated by the server, own writes left out, one bad agent alone."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from bson import Decimal128, Int64, ObjectId, Timestamp
from pymongo import MongoClient
from pymongo.database import Database
from pymongo.errors import ExecutionTimeout

from agents_app.registry import ActiveAgent
from tests.integration.watcher.conftest import LONG_AGO, MakeAgent, MakeEvent
from watcher.matching.matcher import Matcher
from watcher.reading.event import ChangeEvent

Document = dict[str, Any]


class Ward:
    """Takes note of agents reported as unhealthy."""

    def __init__(self) -> None:
        self.reasons: dict[str, str] = {}

    def __call__(self, agent_id: str, reason: str) -> None:
        self.reasons[agent_id] = reason


def make_matcher(
    mongo: MongoClient[Document],
    agents: list[ActiveAgent],
    ward: Ward | None = None,
    monotonic: Callable[[], float] = time.monotonic,
) -> Matcher:
    return Matcher(mongo, agents, ward or Ward(), monotonic=monotonic)


def matched(
    mongo: MongoClient[Document],
    agents: list[ActiveAgent],
    events: list[ChangeEvent],
    ward: Ward | None = None,
) -> list[tuple[str, object]]:
    found = make_matcher(mongo, agents, ward).match(events)
    return [(match.agent.agent_id, match.event.key) for match in found]


@pytest.mark.parametrize(
    "filter_",
    [
        {"tags": "urgent"},
        {"tags": {"$all": ["urgent"]}},
        {"tags": {"$size": 2}},
        {"age": {"$not": {"$gt": 18}}},
        {"$expr": {"$eq": ["$age", 7]}},
        {"customer": {"name": "Ann"}},
        {"title": {"$regex": "HELP", "$options": "i"}},
    ],
    ids=str,
)
def test_filters_mean_what_mongodb_means(
    mongo: MongoClient[Document],
    mongo_db: Database[Document],
    make_agent: MakeAgent,
    make_change: MakeEvent,
    filter_: Document,
) -> None:
    yes = {"tags": ["urgent", "eu"], "age": 7, "customer": {"name": "Ann"}, "title": "Please help"}
    no = {"tags": ["calm"], "age": 70, "customer": {"name": "Bob"}, "title": "Thanks"}
    mongo_db.tickets.insert_many([{"_id": "yes", **yes}, {"_id": "no", **no}])
    agent = make_agent(watch={"filter": filter_})

    assert matched(mongo, [agent], [make_change("yes"), make_change("no")]) == [("triage", "yes")]


def test_text_where_the_filter_wants_a_number_loses_nobodys_event(
    mongo: MongoClient[Document], mongo_db: Database[Document], make_agent: MakeAgent, make_change: MakeEvent
) -> None:
    mongo_db.tickets.insert_many([{"_id": 1, "age": "twenty"}, {"_id": 2, "age": 20}])
    agents = [make_agent("adults", watch={"filter": {"age": {"$gt": 18}}}), make_agent("everyone")]

    found = matched(mongo, agents, [make_change(1), make_change(2)])

    assert sorted(found) == [("adults", 2), ("everyone", 1), ("everyone", 2)]


def test_an_agent_whose_filter_cannot_be_evaluated_is_unhealthy_and_all_others_go_on(
    mongo: MongoClient[Document], mongo_db: Database[Document], make_agent: MakeAgent, make_change: MakeEvent
) -> None:
    mongo_db.tickets.insert_one({"_id": 1, "text": "x"})
    ward = Ward()
    agents = [make_agent("broken", watch={"filter": {"text": {"$regex": "("}}}), make_agent("sound")]

    found = matched(mongo, agents, [make_change(1)], ward)

    assert found == [("sound", 1)]
    assert "watch.filter" in ward.reasons["broken"]
    assert "sound" not in ward.reasons


@pytest.mark.parametrize(
    "key",
    [
        ObjectId("6b00d981068e986092ee0cbd"),
        "5f" * 12,
        0,
        Int64(2**40),
        1.5,
        {"a": 1},
        Decimal128("7"),
        None,
        True,
    ],
    ids=repr,
)
def test_a_filtered_document_is_found_by_a_key_of_any_type(
    mongo: MongoClient[Document],
    mongo_db: Database[Document],
    make_agent: MakeAgent,
    make_change: MakeEvent,
    key: object,
) -> None:
    mongo_db.tickets.insert_one({"_id": key, "text": "x"})
    agent = make_agent(watch={"filter": {"text": "x"}})

    assert matched(mongo, [agent], [make_change(key)]) == [("triage", key)]


def test_a_change_of_nothing_but_own_outputs_is_no_event(
    mongo: MongoClient[Document], make_agent: MakeAgent, make_change: MakeEvent
) -> None:
    own = frozenset({"triage.category", "_ai_metadata.processed_at", "_ai_metadata.agents.triage"})
    mixed = own | {"text"}
    events = [make_change(1, "update", changed=own), make_change(2, "update", changed=mixed)]

    assert matched(mongo, [make_agent()], events) == [("triage", 2)]


def test_another_agents_output_is_an_event_and_counts_as_a_hop(
    mongo: MongoClient[Document], make_agent: MakeAgent, make_change: MakeEvent
) -> None:
    agents = [make_agent("first"), make_agent("second")]
    written = make_change(1, "update", changed=frozenset({"first.category", "_ai_metadata.agents.first"}))
    edited = make_change(2, "update", changed=frozenset({"text"}))

    found = make_matcher(mongo, agents).match([written, edited])

    hops = sorted((match.agent.agent_id, match.event.key, match.cascade) for match in found)
    assert hops == [("first", 2, False), ("second", 1, True), ("second", 2, False)]


def test_a_user_who_writes_beside_an_agent_is_not_taken_for_the_agent(
    mongo: MongoClient[Document], make_agent: MakeAgent, make_change: MakeEvent
) -> None:
    event = make_change(1, "update", changed=frozenset({"triage_notes"}))

    [match] = make_matcher(mongo, [make_agent()]).match([event])

    assert not match.cascade


def test_events_from_before_the_agent_was_enabled_are_not_for_it(
    mongo: MongoClient[Document], make_agent: MakeAgent, make_change: MakeEvent
) -> None:
    before = Timestamp(int((LONG_AGO - timedelta(hours=1)).timestamp()), 1)

    assert matched(mongo, [make_agent()], [make_change(1, cluster_time=before)]) == []


def test_only_the_operations_that_were_asked_for_count(
    mongo: MongoClient[Document], make_agent: MakeAgent, make_change: MakeEvent
) -> None:
    agent = make_agent(watch={"operations": ["replace"]})
    events = [
        make_change(n, operation) for n, operation in enumerate(["insert", "update", "replace", "delete"])
    ]

    assert matched(mongo, [agent], events) == [("triage", 2)]


def test_collection_names_with_dots_are_told_apart(
    mongo: MongoClient[Document], make_agent: MakeAgent, make_change: MakeEvent
) -> None:
    agents = [make_agent("dotted", watch={"collection": "app.tickets"}), make_agent("plain")]
    events = [make_change(1, collection="app.tickets"), make_change(2)]

    assert sorted(matched(mongo, agents, events)) == [("dotted", 1), ("plain", 2)]


@pytest.mark.parametrize(
    "filter_",
    [
        {"$expr": {"$gt": [{"$divide": [10, "$n"]}, 1]}},
        {"$expr": {"$gt": [{"$toInt": "$text"}, 1]}},
        {"$expr": {"$gt": [{"$size": "$list"}, 1]}},
    ],
    ids=["divided by zero", "no number", "no list"],
)
def test_a_document_that_breaks_the_filter_takes_no_other_document_with_it(
    mongo: MongoClient[Document],
    mongo_db: Database[Document],
    make_agent: MakeAgent,
    make_change: MakeEvent,
    filter_: Document,
) -> None:
    fine = {"n": 1, "text": "7", "list": [1, 2]}
    unwanted = {"n": 100, "text": "0", "list": []}
    mongo_db.tickets.insert_many([{"_id": n, **(fine if n % 2 else unwanted)} for n in range(499)])
    mongo_db.tickets.insert_one({"_id": "breaks it", "n": 0, "text": "seven", "list": "none"})
    ward = Ward()

    agent = make_agent(watch={"filter": filter_})
    found = matched(mongo, [agent], [make_change(key) for key in [*range(499), "breaks it"]], ward)

    assert {key for _, key in found} == {*range(1, 499, 2), "breaks it"}, "its row is to fail and say why"
    assert ward.reasons == {}


def test_documents_that_all_break_the_filter_cost_a_bounded_number_of_queries(
    mongo: MongoClient[Document], mongo_db: Database[Document], make_agent: MakeAgent, make_change: MakeEvent
) -> None:
    mongo_db.tickets.insert_many([{"_id": n, "n": 0} for n in range(500)])
    agent = make_agent(watch={"filter": {"$expr": {"$gt": [{"$divide": [10, "$n"]}, 1]}}})
    before = mongo.admin.command("serverStatus")["metrics"]["commands"]["find"]["failed"]

    found = matched(mongo, [agent], [make_change(n) for n in range(500)])

    after = mongo.admin.command("serverStatus")["metrics"]["commands"]["find"]["failed"]
    assert len(found) == 500
    assert after - before < 200  # other tests' failures on the shared server included


def test_a_filter_that_takes_too_long_is_tried_again_and_then_left_to_the_workers(
    mongo: MongoClient[Document],
    mongo_db: Database[Document],
    make_agent: MakeAgent,
    make_change: MakeEvent,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("watcher.matching.filtering.QUERY_SECONDS", 0.02)
    long = {"$map": {"input": {"$range": [0, "$n"]}, "in": {"$multiply": ["$$this", 2]}}}
    mongo_db.tickets.insert_one({"_id": 1, "n": 1_500_000})
    agents = [
        make_agent("slow", watch={"filter": {"$expr": {"$gt": [{"$sum": long}, 0]}}}),
        make_agent("quick"),
    ]
    seconds = [1000.0]
    matcher = make_matcher(mongo, agents, monotonic=lambda: seconds[0])

    with pytest.raises(ExecutionTimeout):
        matcher.match([make_change(1)])
    seconds[0] += 31
    found = matcher.match([make_change(1)])

    assert sorted(match.agent.agent_id for match in found) == ["quick", "slow"]
