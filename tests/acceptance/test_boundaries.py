"""SIGKILL between any two steps of the watcher and of a run: nothing lost, nothing doubled."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.acceptance.conftest import Fleet

pytestmark = pytest.mark.timeout(400)  # each walks over all boundaries, one fleet for all

WATCHER_STEPS = [
    ("before", "watcher.matching:Matcher.match"),
    ("after", "watcher.matching:Matcher.match"),
    ("after", "executions_app.ledger:record"),
    ("before", "watcher.publisher:Publisher.publish"),
    ("after", "watcher.publisher:Publisher.publish"),
    ("before", "watcher.position:PositionStore.save"),
    ("after", "watcher.position:PositionStore.save"),
    ("before", "executions_app.transitions:enqueue"),
    ("after", "executions_app.transitions:enqueue"),
]
"""Read → match → insert → publish → position; and dispatch's own two steps."""

WORKER_STEPS = [
    ("after", "executions_app.transitions:claim", 1),
    ("before", "enrichment.providers.openai_compatible:OpenAICompatible.complete", 1),
    ("after", "enrichment.providers.openai_compatible:OpenAICompatible.complete", 2),
    ("before", "tasks.asking:_store", 2),
    ("after", "tasks.asking:_store", 1),
    ("before", "tasks.run:apply_write", 1),
    ("after", "tasks.run:apply_write", 1),
    ("before", "executions_app.transitions:settle", 1),
    ("after", "executions_app.transitions:settle", 1),
]
"""Each step with the most calls that one prompt may take: a second one only while the answer was in the air."""

BATCH = 6


def test_sigkill_of_the_watcher_at_every_boundary_loses_and_doubles_nothing(fleet: Fleet) -> None:
    fleet.environ["MONGOCLAW_WORKER__WINDOW_PER_AGENT"] = "2"  # so that dispatch has rows to enqueue
    fleet.publish()
    fleet.start_worker()
    for number, (moment, step) in enumerate(WATCHER_STEPS):
        name = f"watcher-{number}"
        child = fleet.start_module(name, "tests.acceptance.kill_at", moment, step, "watcher")
        fleet.insert(BATCH, start=number * BATCH)
        fleet.wait_until_dead(name, child)

    fleet.start_watcher("watcher")
    total = BATCH * len(WATCHER_STEPS)
    fleet.wait_for(lambda: fleet.enriched() == total)
    fleet.wait_until_idle()
    assert fleet.model.calls()["total"] == total


def test_sigkill_of_a_worker_at_every_boundary_costs_a_second_call_only_where_the_answer_was_in_the_air(
    fleet: Fleet,
) -> None:
    fleet.publish()
    fleet.start_watcher()
    for number, (moment, step, _) in enumerate(WORKER_STEPS):
        fleet.insert(1, start=number, text=f"step {number}:")
        fleet.wait_for(lambda: fleet.unfinished() == 1)
        name = f"worker-{number}"
        child = fleet.start_module(name, "tests.acceptance.kill_at", moment, step, "worker")
        fleet.wait_until_dead(name, child)
        fleet.start_worker(f"heir-{number}")
        fleet.wait_until_idle()
        fleet.stop(f"heir-{number}")

    asked = Counter(call["prompt"].partition("step ")[2].partition(":")[0] for call in fleet.model.log())
    most = {str(number): calls for number, (_, _, calls) in enumerate(WORKER_STEPS)}
    assert {step: calls for step, calls in asked.items() if calls > most[step]} == {}
    assert fleet.enriched() == len(WORKER_STEPS)
    completed = fleet.rows("SELECT status, count(*) FROM executions_app_execution GROUP BY status")
    assert completed == [("completed", len(WORKER_STEPS))]
