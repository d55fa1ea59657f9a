"""Where a reader goes on when the oplog no longer holds what somebody needs, or its position cannot be used."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from bson import Timestamp
from pymongo import MongoClient
from pymongo.database import Database
from pymongo.errors import OperationFailure

from executions_app.identity import pack_time
from executions_app.models import GapKind
from tests.conditions import eventually
from tests.integration.watcher.conftest import MakeAgent
from tests.integration.watcher.streams import Watched, cluster_time, here
from watcher.reading.detail import FULL, Asking
from watcher.reading.stream import ChangeStream, StartPoint

Document = dict[str, Any]


class ShortMemory(ChangeStream):
    """A stream of a server whose oplog begins now; a server whose oplog really runs over has tests of its own."""

    begins: Timestamp

    def open(self, pipeline: list[Document], start: StartPoint, asking: Asking = FULL) -> None:
        if start.time is not None and start.time < self.begins:
            raise OperationFailure("the resume point may no longer be in the oplog", 286)
        super().open(pipeline, start, asking)


@pytest.fixture
def short_memory(mongo: MongoClient[Document], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the oplog begin here."""
    ShortMemory.begins = cluster_time(mongo)
    monkeypatch.setattr("watcher.reading.reader.ChangeStream", ShortMemory)
    monkeypatch.setattr("watcher.reading.opening.oldest_entry", lambda _client: ShortMemory.begins)


def test_an_agent_whose_beginning_is_gone_from_the_oplog_costs_the_others_nothing(
    short_memory: None, mongo: MongoClient[Document], mongo_db: Database[Document], make_agent: MakeAgent
) -> None:
    watched = Watched(mongo, mongo_db)
    old, newcomer = make_agent("old"), make_agent("newcomer")
    mongo_db.tickets.insert_one({"_id": "before"})
    position = here(mongo, old)
    assert watched.store(position)
    mongo_db.tickets.insert_one({"_id": "while nobody watched"})

    with watched.reading(old, newcomer):
        eventually(watched.caught("while nobody watched"))

    assert watched.lost.keys() == {"newcomer"}
    gap = watched.lost["newcomer"]
    assert (gap.kind, gap.code, gap.until) == (GapKind.HISTORY_LOST, 286, pack_time(ShortMemory.begins))
    assert gap.since < gap.until


def test_a_token_that_is_no_good_falls_back_to_its_time(
    mongo: MongoClient[Document], mongo_db: Database[Document], make_agent: MakeAgent
) -> None:
    watched, agent = Watched(mongo, mongo_db), make_agent()
    position = here(mongo, agent)
    assert position.token is not None
    assert watched.store(replace(position, token=position.token[:18] + "FF"))
    mongo_db.tickets.insert_one({"_id": "while nobody watched"})

    with watched.reading(agent):
        eventually(watched.caught("while nobody watched"))

    assert (watched.unhealthy, watched.lost) == ({}, {})


def test_history_that_nobody_has_is_reported_for_every_agent_and_the_stream_goes_on(
    short_memory: None, mongo: MongoClient[Document], mongo_db: Database[Document], make_agent: MakeAgent
) -> None:
    watched = Watched(mongo, mongo_db)

    with watched.reading(make_agent("a"), make_agent("b")):
        eventually(lambda: watched.position() is not None)
        mongo_db.tickets.insert_one({"_id": "now"})
        eventually(watched.caught("now"))

    assert watched.lost.keys() == {"a", "b"}
