"""What nobody can run: messages that no worker understands, and a run that kills its workers."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from redis import Redis

from tests.acceptance.conftest import Fleet
from tests.conditions import eventually

STRAYS = "SELECT reason, task, excerpt, times FROM executions_app_straymessage"


def listed(fleet: Fleet, *words: str) -> list[dict[str, Any]]:
    """What `mongoclaw dlq list` says."""
    return list(json.loads(fleet.cli("dlq", "list", "--json", *words).stdout)["dead_letters"])


def message(body: object, **headers: object) -> str:
    """A message as kombu puts it into Redis."""
    return json.dumps(
        {
            "body": body,
            "content-type": "application/json",
            "content-encoding": "utf-8",
            "headers": headers,
            "properties": {
                "delivery_tag": uuid.uuid4().hex,
                "delivery_info": {"exchange": "", "routing_key": "mongoclaw"},
            },
        }
    )


GARBAGE = {
    "no envelope": ("message_undecodable", "api_key=sk-abcdefghijklmnopqrstuvwx no envelope"),
    "no JSON within": ("message_undecodable", message("{]", task="tasks.enrich", id="m1")),
    "another content type": (
        "message_undecodable",
        message("x: 1").replace("application/json", "application/x-yaml"),
    ),
    "no task": ("message_without_task", message('{"a": 1}')),
    "a foreign task": ("unknown_task", message("[[1], {}, {}]", task="billing.charge", id="m2")),
    "half a task": ("message_invalid", message("[[1], {}, {}]", task="tasks.enrich")),
    "no execution": (
        "unknown_execution",
        message(json.dumps([["f" * 32], {}, {}]), task="tasks.enrich", id="m3", lang="py", argsrepr=""),
    ),
    "no arguments": ("unknown_execution", message("[[], {}, {}]", task="tasks.enrich", id="m4", lang="py")),
}


@pytest.mark.sql
def test_messages_that_nobody_understands_are_dead_letters_and_the_worker_goes_on(fleet: Fleet) -> None:
    fleet.publish()
    fleet.start()
    worker = fleet.children["worker"]
    with Redis.from_url(fleet.broker.url) as broker:
        for _, text in GARBAGE.values():
            broker.lpush("mongoclaw", text)
        broker.lpush("mongoclaw", b"\x80\xff no text at all")
        fleet.wait_for(lambda: len(fleet.rows(STRAYS)) == len(GARBAGE) + 1)

    fleet.insert(5)
    fleet.wait_for(lambda: fleet.enriched() == 5)
    assert worker.is_alive()
    rows = fleet.rows(STRAYS)
    expected = sorted([*(reason for reason, _ in GARBAGE.values()), "message_undecodable"])
    assert sorted(row[0] for row in rows) == expected
    assert "sk-abc" not in str(rows)

    [foreign] = listed(fleet, "--reason", "unknown_task")
    assert (foreign["kind"], foreign["task"]) == ("message", "billing.charge")
    fleet.cli("dlq", "discard", foreign["id"][:8], "--why", "not ours", "--yes")
    assert len(listed(fleet, "--kind", "message")) == len(GARBAGE)
    [aside] = listed(fleet, "--archived")
    assert aside["discarded"]["why"] == "not ours"


@pytest.mark.sql
def test_a_run_that_kills_its_workers_ends_as_a_dead_letter_and_the_others_do_not(fleet: Fleet) -> None:
    fleet.environ |= {"MONGOCLAW_WORKER__POISON_AFTER": "3", "KILL_ONLY": "the-poison"}
    fleet.model.set_latency(300)
    fleet.publish()
    fleet.start_watcher()
    fleet.db.tickets.insert_one({"_id": "the-poison", "text": "boom"})
    fleet.insert(30)

    armed = ("tests.acceptance.kill_at", "before", "tasks.enrich:perform", "worker")

    for life in range(3):
        name = f"worker-{life}"
        fleet.wait_until_dead(name, fleet.start_module(name, *armed))
    fleet.start_module("worker-3", *armed)

    fleet.wait_for(lambda: fleet.enriched() == 30)
    fleet.wait_until_idle()
    assert fleet.children["worker-3"].is_alive()
    [letter] = listed(fleet, "--reason", "poison_run")
    assert (letter["document_id"], letter["worker_losses"]) == ("the-poison", 3)
    assert len(listed(fleet)) == 1
    [others] = fleet.rows("SELECT max(losses) FROM executions_app_execution WHERE status = 'completed'")
    assert others[0] < 3


def test_a_worker_killed_at_the_end_of_its_grace_period_is_no_witness_against_its_runs(fleet: Fleet) -> None:
    fleet.model.set_latency(60_000)
    fleet.publish()
    fleet.start()
    fleet.insert(3)
    fleet.wait_for(lambda: fleet.model.calls()["in_flight"] == 3)
    worker = fleet.children.pop("worker")

    worker.process.terminate()
    eventually(lambda: fleet.count("SELECT count(*) FROM executions_app_workerprocess WHERE leaving = true"))
    worker.kill()

    reclaimed = "SELECT count(*) FROM executions_app_execution WHERE reason = 'reclaimed' AND losses = 0"
    fleet.wait_for(lambda: fleet.count(reclaimed) == 3)
