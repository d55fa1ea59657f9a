"""Collections that became something else after an agent was published to watch them."""

from __future__ import annotations

from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.database import Database

from tests.conditions import eventually
from tests.integration.watcher.conftest import MakeAgent
from tests.integration.watcher.streams import Watched

Document = dict[str, Any]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"viewOn": "others", "pipeline": []}, "is a view"),
        ({"timeseries": {"timeField": "at"}}, "is a time-series collection"),
        ({"capped": True, "size": 10_000}, "is a capped collection"),
    ],
)
def test_an_agent_whose_collection_cannot_be_watched_is_unhealthy_and_the_others_go_on(
    mongo: MongoClient[Document],
    mongo_db: Database[Document],
    make_agent: MakeAgent,
    options: Document,
    reason: str,
) -> None:
    watched = Watched(mongo, mongo_db)
    agents = [make_agent("blocked", watch={"collection": "readings"}), make_agent("fine")]
    mongo_db.create_collection("readings", **options)

    with watched.reading(*agents):
        eventually(lambda: watched.watched == {"fine"})
        mongo_db.tickets.insert_one({"_id": "seen"})
        eventually(watched.caught("seen"))

    assert watched.unhealthy.keys() == {"blocked"}
    assert reason in watched.unhealthy["blocked"]
