"""The same request again, after a crash at any boundary: one document, one run."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

import pytest
from bson import Timestamp
from django.db import connection
from pymongo import MongoClient
from pymongo.collection import Collection

from agents_app import registry
from executions_app import ledger, transitions
from executions_app.ledger import NewExecution
from executions_app.models import Execution, TriggerKey
from executions_app.triggers import documents, entering, repetition
from executions_app.triggers.entering import trigger
from executions_app.triggers.wanted import read_wanted
from tests.integration.executions_app.conftest import NOW
from tests.integration.executions_app.triggers.conftest import Post, publish_triage

Document = dict[str, Any]
BODY: Final = {"document": {"text": "The invoice is wrong"}}


class Killed(BaseException):
    """Stands for the end of the process: nothing catches it."""


def killing(done: Callable[..., Any] | None = None) -> Callable[..., Any]:
    """End here, after what would have been done, if it is given."""

    def end(*args: Any, **named: Any) -> Any:
        if done is not None:
            done(*args, **named)
        raise Killed

    return end


def ask(mongo: MongoClient[Document], body: object = BODY, key: str = "k") -> str:
    return trigger(mongo, "triage", read_wanted(body), key=key, by="tests", now=NOW).id


@pytest.mark.parametrize(
    ("module", "name", "kept"),
    [
        # Reserved, nothing inserted.
        (documents, "place", False),
        # Inserted, nothing in the ledger.
        (documents, "place", True),
        # Inserted, and the row's transaction is cut off before its end.
        (repetition, "answer", True),
        # Everything is on record, and nobody has heard of it.
        (entering, "_enter", True),
    ],
)
def test_whoever_is_killed_and_asks_again_has_one_document_and_one_run(
    mongo: MongoClient[Document],
    tickets: Collection[Document],
    monkeypatch: pytest.MonkeyPatch,
    module: Any,
    name: str,
    kept: bool,
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(module, name, killing(getattr(module, name) if kept else None))
        with pytest.raises(Killed):
            ask(mongo)
    inserted_before = tickets.count_documents({})

    first, second = ask(mongo), ask(mongo)

    assert inserted_before == (module is not documents or kept)
    assert first == second
    assert tickets.count_documents({}) == 1
    assert Execution.objects.values_list("id", flat=True).get() == first


def test_a_run_that_is_over_is_the_answer_still(
    mongo: MongoClient[Document], tickets: Collection[Document]
) -> None:
    first = ask(mongo)
    transitions.enqueue([first], now=NOW)
    claimed = transitions.claim(first, worker="w", now=NOW)
    assert claimed is not None

    assert ask(mongo) == first
    assert Execution.objects.count() == 1


def test_a_request_that_joined_a_waiting_run_is_answered_with_that_one_for_ever(
    mongo: MongoClient[Document], tickets: Collection[Document]
) -> None:
    tickets.insert_one({"_id": 1, "text": "x"})
    waiting = ask(mongo, {"document_id": 1}, key="first")

    joined = ask(mongo, {"document_id": 1}, key="second")
    transitions.enqueue([waiting], now=NOW)
    transitions.claim(waiting, worker="w", now=NOW)

    assert joined == waiting
    assert ask(mongo, {"document_id": 1}, key="second") == waiting
    assert Execution.objects.count() == 1
    assert ask(mongo, {"document_id": 1}, key="third") != waiting


def test_a_request_that_overtakes_its_own_repetition_answers_both(
    mongo: MongoClient[Document], tickets: Collection[Document], monkeypatch: pytest.MonkeyPatch
) -> None:
    tickets.insert_one({"_id": 1, "text": "x"})
    waiting = ask(mongo, {"document_id": 1}, key="first")
    slow = repetition.reserve("triage", "second", read_wanted({"document_id": 1}).digest, now=NOW)
    ask(mongo, {"document_id": 1}, key="second")
    transitions.enqueue([waiting], now=NOW)
    transitions.claim(waiting, worker="w", now=NOW)

    monkeypatch.setattr(repetition, "reserve", lambda *_, **__: slow)

    assert ask(mongo, {"document_id": 1}, key="second") == waiting
    assert Execution.objects.count() == 1


def test_an_agent_that_does_not_coalesce_runs_once_for_each_request(
    mongo: MongoClient[Document], tickets: Collection[Document]
) -> None:
    publish_triage(tickets.database.name, execution={"coalesce": False})
    tickets.insert_one({"_id": 1, "text": "x"})

    runs = [ask(mongo, {"document_id": 1}, key=key) for key in ("a", "b", "a")]

    assert (runs[0], len(set(runs))) == (runs[2], 2)


def test_the_same_request_from_two_at_once_is_one(
    mongo: MongoClient[Document], tickets: Collection[Document]
) -> None:
    start = threading.Barrier(4)
    answers: list[str] = []

    def go() -> None:
        start.wait(10)
        try:
            answers.append(ask(mongo))
        finally:
            connection.close()

    threads = [threading.Thread(target=go) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert (len(answers), len(set(answers))) == (4, 1)
    assert (tickets.count_documents({}), Execution.objects.count()) == (1, 1)


def test_the_row_of_a_change_that_waits_already_is_the_answer(
    mongo: MongoClient[Document], tickets: Collection[Document]
) -> None:
    tickets.insert_one({"_id": 1, "text": "x"})
    [agent] = registry.active_agents()
    change = NewExecution(
        agent_id="triage",
        version_id=agent.version_id,
        token="8200000001",
        database=tickets.database.name,
        collection="tickets",
        key=1,
        operation="update",
        cascade=False,
        event_time=Timestamp(1, 1),
        sequence=1,
        priority=0,
        coalesce=True,
    )
    ledger.record([change], room={}, now=NOW)

    answered = ask(mongo, {"document_id": 1})

    assert Execution.objects.get().id == answered
    assert Execution.objects.get().operation == "update"


def test_a_key_that_was_given_with_another_body_is_a_conflict(
    post: Post, tickets: Collection[Document]
) -> None:
    headers = {"Idempotency-Key": "k"}
    assert post(BODY, **headers).status_code == 202

    other = post({"document": {"text": "other"}}, **headers)

    assert other.status_code == 409
    assert "with another body" in other.json()["detail"]
    assert tickets.count_documents({}) == 1
    assert post(BODY, **{"Idempotency-Key": "x" * 300}).json()["detail"][0]["loc"] == [
        "header",
        "Idempotency-Key",
    ]


def test_keys_are_forgotten_after_a_week(mongo: MongoClient[Document], tickets: Collection[Document]) -> None:
    ask(mongo)
    assert repetition.forget(now=NOW + timedelta(days=6)) == 0
    assert repetition.forget(now=NOW + timedelta(days=8)) == 1
    assert not TriggerKey.objects.exists()
