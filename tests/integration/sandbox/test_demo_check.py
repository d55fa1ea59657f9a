"""The demo's check finds what it has to find: a check that cannot fail proves nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.database import Database

from sandbox.demo.agents import DemoAgent
from sandbox.demo.check import Call, Verdict, check
from sandbox.demo.documents import Namespace
from sandbox.demo.witness import History, Witness
from sandbox.waiting import wait_until

Document = dict[str, Any]
KILL = 1000.0


class Scene:
    """One ticket, enriched as it should be, in a collection of its own."""

    def __init__(self, client: MongoClient[Document], database: Database[Document]) -> None:
        self.client = client
        self.namespace = Namespace(database.name, "tickets")
        self.collection = database["tickets"]
        self.agent = DemoAgent(
            self.namespace,
            {"id": "triage", "watch": {"filter": {"status": "open"}}},
            lambda document: document.get("ai"),
            lambda answer: answer,
            "body",
        )
        self.document: Document = {
            "_id": 1,
            "status": "open",
            "body": "order 7",
            "ai": {"mood": "good"},
            "_ai_metadata": {"agents": {"triage": {"input_hash": "h1"}}},
        }
        self.history = History(self.namespace, 1, ["insert", "result:h1"])
        self.calls = [_call("p1", "about order 7")]

    def verdict(self, *, with_log: bool = True) -> Verdict:
        if self.document:
            self.collection.replace_one({"_id": 1}, self.document, upsert=True)
        calls = self.calls if with_log else None
        return check(self.client, [self.agent], [self.history], calls, KILL)


def _call(digest: str, prompt: str, *, started: float = 1.0, ended: float | None = 2.0) -> Call:
    answer = json.dumps({"mood": "good"})
    return {"hash": digest, "prompt": prompt, "started": started, "ended": ended, "answer": answer}


@pytest.fixture
def scene(mongo: MongoClient[Document], mongo_db: Database[Document]) -> Scene:
    return Scene(mongo, mongo_db)


def test_a_sound_run_is_sound(scene: Scene) -> None:
    verdict = scene.verdict()
    assert verdict.is_sound
    assert (verdict.total.inserted, verdict.total.matching, verdict.total.enriched) == (1, 1, 1)
    assert (verdict.lost, verdict.doubled, verdict.model_calls) == (0, 0, 1)


def _without_result(scene: Scene) -> None:
    del scene.document["ai"]


def _without_metadata(scene: Scene) -> None:
    del scene.document["_ai_metadata"]


def _edited_later(scene: Scene) -> None:
    scene.history.events.append("edit")


def _of_an_old_text(scene: Scene) -> None:
    scene.document["body"] = "order 8"


def _of_another_document(scene: Scene) -> None:
    scene.document["ai"] = {"mood": "bad"}


@pytest.mark.parametrize(
    "spoil", [_without_result, _without_metadata, _edited_later, _of_an_old_text, _of_another_document]
)
def test_a_document_without_its_own_present_result_is_lost(
    scene: Scene, spoil: Callable[[Scene], None]
) -> None:
    spoil(scene)
    assert scene.verdict().lost == 1
    assert scene.verdict().problems


def test_a_result_on_a_document_that_does_not_match_is_unwanted(scene: Scene) -> None:
    scene.document["status"] = "closed"
    verdict = scene.verdict()
    assert verdict.total.unwanted == 1
    assert not verdict.is_sound


def test_a_result_written_twice_for_one_input_is_doubled(scene: Scene) -> None:
    scene.history.events.append("result:h1")
    assert scene.verdict().doubled == 1


def test_a_second_result_for_a_second_input_is_not_doubled(scene: Scene) -> None:
    scene.history.events += ["edit", "result:h2"]
    assert scene.verdict().doubled == 0


def test_a_repeated_call_is_doubled(scene: Scene) -> None:
    scene.calls.append(_call("p1", "about order 7", started=5.0, ended=6.0))
    assert scene.verdict().doubled == 1


@pytest.mark.parametrize(
    ("started", "ended", "doubled"),
    [
        (KILL - 2, KILL + 0.1, 0),  # under way
        (KILL - 2, None, 0),
        (KILL - 2, KILL - 0.5, 0),  # answered, but perhaps not stored
        (KILL - 5, KILL - 3, 1),  # answered long before
        (KILL + 1, KILL + 2, 1),  # begun afterwards
    ],
)
def test_one_repeat_is_permitted_for_a_call_that_was_in_the_air_at_the_kill(
    scene: Scene, started: float, ended: float | None, doubled: int
) -> None:
    again = _call("p1", "about order 7", started=KILL + 10, ended=KILL + 11)
    scene.calls = [_call("p1", "about order 7", started=started, ended=ended), again]
    assert scene.verdict().doubled == doubled


def test_two_repeats_are_one_too_many_even_after_a_kill(scene: Scene) -> None:
    first = _call("p1", "about order 7", started=KILL - 1, ended=None)
    scene.calls = [
        first,
        *(_call("p1", "about order 7", started=KILL + n, ended=KILL + n + 1) for n in (5, 9)),
    ]
    assert scene.verdict().doubled == 1


def test_with_a_real_model_the_writes_are_checked(scene: Scene) -> None:
    assert scene.verdict(with_log=False).is_sound
    scene.history.events.append("result:h1")
    assert scene.verdict(with_log=False).doubled == 1


def test_the_witness_sees_results_edits_and_glances_in_order(mongo_uri: str, scene: Scene) -> None:
    witness = Witness(mongo_uri, [scene.namespace], {scene.namespace: "body"})
    tickets = scene.collection
    entry = {"execution_id": "e1", "input_hash": "h1"}
    tickets.insert_one({"_id": 5, "status": "open", "body": "a", "views": 0})
    tickets.update_one(
        {"_id": 5}, {"$set": {"ai": {"mood": "good"}, "_ai_metadata": {"agents": {"triage": entry}}}}
    )
    tickets.update_one({"_id": 5}, {"$inc": {"views": 1}})
    tickets.update_one({"_id": 5}, {"$set": {"body": "b"}})
    tickets.update_one({"_id": 5}, {"$set": {"_ai_metadata.agents.triage": {**entry, "input_hash": "h2"}}})
    tickets.update_one({"_id": 5}, {"$set": {"_ai_metadata.agents.triage.execution_id": "e3"}})
    tickets.delete_one({"_id": 5})
    assert wait_until(lambda: any("delete" in history.events for history in witness.histories()), seconds=10)
    witness.stop()
    assert witness.histories()[0].events == [
        "insert", "result:h1", "glance", "edit", "result:h2", "result:h2", "delete",
    ]  # fmt: skip
