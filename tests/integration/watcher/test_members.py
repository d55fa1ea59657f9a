"""Who lives, by the server's clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from pymongo.database import Database

from tests.conditions import eventually
from watcher.leading.members import Member, Members

Document = dict[str, Any]
LONG = timedelta(minutes=1)


def test_watchers_that_beat_are_seen_until_they_leave(mongo_db: Database[Document]) -> None:
    first = Members(mongo_db.watchers, "a", duration=LONG)
    second = Members(mongo_db.watchers, "b", duration=LONG)
    first.beat(["stream", "dispatch"])
    second.beat([])

    assert second.live() == (Member("a", frozenset({"stream", "dispatch"})), Member("b", frozenset()))

    first.leave()
    assert second.live() == (Member("b", frozenset()),)


def test_a_watcher_that_is_killed_is_dead_when_its_time_is_over(mongo_db: Database[Document]) -> None:
    killed = Members(mongo_db.watchers, "a", duration=timedelta(milliseconds=50))
    killed.beat(["stream"])

    eventually(lambda: killed.live() == ())


def test_only_the_long_dead_are_forgotten(mongo_db: Database[Document]) -> None:
    members = Members(mongo_db.watchers, "a", duration=LONG)
    members.beat(["stream"])
    now = datetime.now(UTC)
    mongo_db.watchers.insert_many(
        [
            {"_id": "yesterday", "roles": [], "expires_at": now - timedelta(days=1)},
            {"_id": "just now", "roles": [], "expires_at": now - timedelta(minutes=1)},
        ]
    )

    members.forget_the_dead()

    assert {one["_id"] for one in mongo_db.watchers.find()} == {"a", "just now"}
