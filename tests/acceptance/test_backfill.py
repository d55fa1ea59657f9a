"""Documents that were there before anybody looked: each is worked on once, whatever is killed meanwhile."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from bson import Decimal128, ObjectId

from tests.acceptance.conftest import Fleet

CHUNK = 500
THREADS = 2
COUNT = 800
BACKFILLED_TWICE = """
SELECT count(*) FROM executions_app_execution WHERE operation = 'backfill' GROUP BY subject HAVING count(*) > 1
"""
KILLS = (
    ("before", "executions_app.ledger:insert"),
    ("after", "watcher.backfill.recording:_advance"),
    ("after", "watcher.backfill.crew:record"),
    ("before", "executions_app.backfill_transitions:complete"),
)


def key(number: int) -> object:
    """An `_id` of one type or another."""
    kinds = (number, f"ticket {number}", ObjectId(), Decimal128(f"{number}.5"), {"n": number})
    return kinds[number % len(kinds)]


def keys_read(fleet: Fleet) -> int:
    """Count the keys that ranges have read, by the server's own profile."""
    reads = fleet.db["system.profile"].find({"command.find": "tickets", "command.hint": {"_id": 1}})
    return sum(int(entry.get("nreturned", 0)) for entry in reads)


def state_of(fleet: Fleet) -> str:
    return str(fleet.rows("SELECT status FROM executions_app_backfill")[0][0])


@pytest.mark.sql
def test_sigkill_of_the_watcher_amid_a_backfill_and_live_edits_loses_and_doubles_nothing(
    fleet: Fleet,
) -> None:
    fleet.model.set_latency(5)
    keys = [key(number) for number in range(COUNT)]
    fleet.db.tickets.insert_many([{"_id": id_, "text": f"{id_}"} for id_ in keys])
    fleet.publish(watch={"operations": ["update"]})
    fleet.start_worker()
    fleet.db.command("profile", 2)
    fleet.cli("backfill", "support", "--no-wait")
    stop = threading.Event()
    edited: dict[str, Any] = {}

    def edit() -> None:
        for number in range(0, COUNT, 7):
            fleet.db.tickets.update_one({"_id": keys[number]}, {"$set": {"text": f"edited {number}"}})
            edited[f"edited {number}"] = keys[number]
            if stop.wait(0.05):
                return

    editor = threading.Thread(target=edit)
    editor.start()
    try:
        for moment, step in KILLS:
            name = f"{moment}-{step.rpartition(':')[2]}"
            doomed = fleet.start_module(name, "tests.acceptance.kill_at", moment, step, "backfill")
            fleet.wait_until_dead(name, doomed)
        fleet.start_watcher()
        fleet.wait_for(lambda: state_of(fleet) == "completed", seconds=30)
        assert keys_read(fleet) <= COUNT + len(KILLS) * THREADS * (CHUNK + 1), "a chunk of each thread"
    finally:
        stop.set()
        editor.join()

    fleet.wait_for(lambda: fleet.enriched() == COUNT, seconds=90)
    fleet.wait_until_idle()
    assert not fleet.rows(BACKFILLED_TWICE)
    assert fleet.rows("SELECT sum(read) FROM executions_app_backfillrange") == [(COUNT,)]
    assert max(fleet.model.calls()["per_prompt"].values()) == 1
    asked = {entry["prompt"].rpartition("ticket: ")[2].strip() for entry in fleet.model.log()}
    assert edited.keys() <= asked, "the newest state was worked on"
    for text, id_ in edited.items():
        assert fleet.db.tickets.count_documents({"_id": id_, "text": text}) == 1


@pytest.mark.sql
def test_a_second_backfill_leaves_out_what_the_first_has_answered(fleet: Fleet) -> None:
    fleet.model.set_latency(5)
    fleet.db.tickets.insert_many([{"_id": number, "text": f"ticket {number}"} for number in range(200)])
    fleet.publish(watch={"operations": ["update"]})
    fleet.start()

    first = fleet.cli("backfill", "support", "--limit", "120")
    fleet.wait_for(lambda: fleet.enriched() >= 120)
    fleet.wait_until_idle()
    calls = fleet.model.calls()["total"]
    second = fleet.cli("backfill", "support", "--filter", '{"_id": {"$lt": 120}}')

    assert "completed: 120 read, 120 put on record" in first.stdout
    assert "completed: 200 read, 0 put on record, 120 up to date" in second.stdout
    assert fleet.enriched() == 120
    assert fleet.model.calls()["total"] == calls
