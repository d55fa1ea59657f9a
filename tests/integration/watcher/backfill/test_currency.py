from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from bson import Timestamp
from pymongo.database import Database

from agents_app import registry
from enrichment.standing import standing_of
from executions_app import backfills
from executions_app.identity import unpack_key
from executions_app.models import Backfill, Execution
from tests.integration.watcher.backfill.conftest import NOW, Finish, Publish

Document = dict[str, Any]


def input_hash(document: Document, *, at: datetime = NOW) -> str:
    """What a worker stores beside its answer to this document."""
    (agent,) = registry.active_agents()
    standing = standing_of(agent.spec)
    return standing.hash_of(
        standing.render(document, operation="update", cluster_time=Timestamp(5, 1), now=at)
    )


def answered(document: Document, hash_: str | None = None) -> Document:
    """The document with an entry of the agent."""
    entry = {"input_hash": hash_ or input_hash(document), "version": 1}
    return {**document, "ai": {"x": 1}, "_ai_metadata": {"agents": {"triage": entry}}}


def backfill() -> Backfill:
    return backfills.ask(backfills.wish("triage"), by="tests", now=NOW)


def recorded() -> list[object]:
    return sorted(
        (unpack_key(key) for key in Execution.objects.values_list("document_key", flat=True)), key=str
    )


def test_documents_whose_answer_is_up_to_date_are_left_out(
    publish_agent: Publish, mongo_db: Database[Document], finish: Finish
) -> None:
    publish_agent()
    mongo_db.tickets.insert_many(
        [
            answered({"_id": "same", "text": "a"}),
            {**answered({"_id": "edited", "text": "a"}), "text": "b"},
            answered({"_id": "odd", "text": "a"}, "no hash of ours"),
            {"_id": "never", "text": "a"},
        ]
    )

    done = finish(backfill())

    assert recorded() == ["edited", "never", "odd"]
    assert backfills.progress_of([done.id])[done.id].current == 1


def test_an_answer_of_an_earlier_version_is_not_up_to_date(
    publish_agent: Publish, mongo_db: Database[Document], finish: Finish
) -> None:
    publish_agent()
    mongo_db.tickets.insert_one(answered({"_id": 1, "text": "a"}))
    publish_agent(ai={"model": "sandbox-2"})

    finish(backfill())

    assert recorded() == [1]


def test_an_answer_in_another_collection_is_found_there(
    publish_agent: Publish, mongo_db: Database[Document], finish: Finish
) -> None:
    publish_agent(write={"target_collection": "answers"})
    mongo_db.tickets.insert_many([{"_id": n, "text": "a"} for n in (1, 2)])
    mongo_db.answers.insert_one(answered({"_id": 1, "text": "a"}))

    finish(backfill())

    assert recorded() == [2]


@pytest.mark.parametrize(
    "changes", [{"execution": {"deduplicate": False}}, {"write": {"include_metadata": False}}]
)
def test_nobody_is_left_out_where_equal_input_counts_as_new_or_nothing_tells(
    publish_agent: Publish, mongo_db: Database[Document], finish: Finish, changes: Document
) -> None:
    publish_agent(**changes)
    mongo_db.tickets.insert_one(answered({"_id": 1, "text": "a"}))

    finish(backfill())

    assert recorded() == [1]


def test_a_prompt_that_cannot_be_rendered_leaves_the_document_to_a_worker(
    publish_agent: Publish, mongo_db: Database[Document], finish: Finish
) -> None:
    publish_agent()
    mongo_db.tickets.insert_one(answered({"_id": 1}, "some hash"))

    finish(backfill())

    assert recorded() == [1]
