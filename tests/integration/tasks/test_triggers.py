"""A run that was asked for by name ends as one that a stream has brought."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from executions_app import transitions
from executions_app.models import Execution
from executions_app.triggers.entering import trigger
from executions_app.triggers.wanted import read_wanted
from tasks.enrich import run_execution
from tests.integration.tasks.conftest import Bench
from tests.integration.tasks.line import Line


def triggered(bench: Bench, body: object) -> Execution:
    """Trigger the agent and run what was put on record."""
    wanted, now = read_wanted(body), datetime.now(UTC)
    row = trigger(bench.runtime.mongo, "triage", wanted, key=None, by="tests", now=now)
    transitions.enqueue([row.id], now=now)
    run_execution(bench.runtime, row.id)
    return Execution.objects.get(id=row.id)


def shape(document: dict[str, Any]) -> object:
    """What a result consists of, whatever its values are."""
    return {
        name: shape(value) if isinstance(value, dict) else type(value) for name, value in document.items()
    }


def test_a_triggered_run_writes_what_a_streams_run_writes(bench: Bench) -> None:
    bench.publish()
    bench.insert(1)
    bench.run(1)

    run = triggered(bench, {"document": {"_id": 2, "text": "The invoice is wrong"}})

    assert (run.status, run.reason, run.lifecycle_state, run.written) == (
        "completed",
        "written",
        "written",
        True,
    )
    assert shape(bench.document(2)) == shape(bench.document(1))
    assert bench.document(2)["_ai_metadata"]["agents"]["triage"]["execution_id"] == run.id


def test_the_streams_own_event_of_a_triggered_document_calls_no_model_again(bench: Bench) -> None:
    bench.publish()
    line = Line(bench)

    run = triggered(bench, {"document": {"_id": 1, "text": "The invoice is wrong"}})
    line.take(2)  # the insert and the answer
    [own] = line.run()

    assert (run.status, own.status, own.reason) == ("completed", "skipped", "unchanged_input")
    assert len(line.prompts()) == 1


def test_a_run_that_waits_takes_the_streams_own_event_in(bench: Bench) -> None:
    bench.publish()
    line = Line(bench)
    wanted = read_wanted({"document": {"_id": 1, "text": "The invoice is wrong"}})

    row = trigger(bench.runtime.mongo, "triage", wanted, key=None, by="tests", now=datetime.now(UTC))
    line.take(1)

    assert Execution.objects.get().id == row.id


def test_a_document_that_is_there_is_answered_in_the_state_it_has_when_the_run_starts(bench: Bench) -> None:
    bench.publish()
    bench.insert(1)
    bench.run(1)
    bench.db.tickets.update_one({"_id": 1}, {"$set": {"text": "It crashes"}})

    run = triggered(bench, {"document": {"_id": 1, "text": "not this"}})

    assert run.status == "completed"
    assert "It crashes" in run.attempt_set.get().prompt


def test_a_document_that_the_agents_filter_leaves_out_ends_the_run_at_once(bench: Bench) -> None:
    bench.publish(watch={"filter": {"open": True}})

    run = triggered(bench, {"document": {"_id": 1, "text": "closed", "open": False}})

    assert (run.status, run.reason) == ("skipped", "filter_not_matched")
