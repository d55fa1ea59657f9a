"""What an operator does to streams from the command line, with a watcher and a worker at work."""

from __future__ import annotations

import json
from typing import Any

from tests.acceptance.conftest import Fleet

COMPLETED = "SELECT count(*) FROM executions_app_execution WHERE status = 'completed'"
UNSETTLED = "SELECT count(*) FROM executions_app_streamgap WHERE status <> 'closed'"
ROWS = "SELECT count(*) FROM executions_app_execution"


def said(fleet: Fleet, *words: str) -> Any:
    """What a command says as JSON."""
    return json.loads(fleet.cli(*words, "--json").stdout)


def now(fleet: Fleet) -> str:
    """The cluster's time, as commands take it."""
    time = fleet.mongo.admin.command("ping")["operationTime"]
    return f"{time.time}:{time.inc}"


def test_a_stream_is_set_back_replayed_set_forward_and_its_gap_backfilled(fleet: Fleet) -> None:
    fleet.publish()
    fleet.start()
    stream, begun = fleet.db.name, now(fleet)
    fleet.insert(3)
    fleet.wait_for(lambda: fleet.count(COMPLETED) == 3)
    calls = fleet.model.calls()["total"]

    # Back: what is on record already is not done again.
    fleet.cli("streams", "set-position", stream, "--at", begun)
    fleet.insert(1, start=10)
    fleet.wait_for(lambda: fleet.count(COMPLETED) == 4)
    assert fleet.count(ROWS) == 4

    # Again: each document has a new row, whose input is what it was, so no model is asked.
    replayed = said(fleet, "streams", "replay", stream, "--from", begun)
    assert replayed["matched"] == 4
    fleet.wait_for(lambda: fleet.count(ROWS) == 8)
    fleet.wait_until_idle()
    assert fleet.model.calls()["total"] == calls + 1

    # Forward, while nobody reads: the agent has not seen what came in between, and that is on record.
    fleet.stop("watcher")
    fleet.insert(2, start=20)
    fleet.db.other.insert_one({})  # the newest change, with which the stream will begin
    moved = said(fleet, "streams", "set-position", stream, "--now", "--force")
    fleet.start_watcher()
    fleet.insert(1, start=30)
    fleet.wait_for(lambda: fleet.enriched() == 5)
    fleet.wait_until_idle()
    [gap] = said(fleet, "streams", "gaps", "list")["gaps"]
    assert [gap["id"]] == moved["gaps"]
    assert fleet.enriched() == 5
    fleet.cli("streams", "gaps", "close", gap["id"][:8], "--backfill")
    fleet.wait_for(lambda: fleet.enriched() == 7)
    fleet.wait_for(lambda: not fleet.count(UNSETTLED))
    assert fleet.model.calls()["total"] == calls + 4
