"""SIGKILL between any two steps of the watcher and of a run: nothing lost, nothing doubled."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.acceptance.conftest import Fleet

pytestmark = pytest.mark.timeout(400)  # each walks over all boundaries, one fleet for all

WATCHER_STEPS = [
    ("after", "watcher.leading.lease:Lease.acquire"),
    ("after", "executions_app.fence:begin"),
    ("after", "watcher.reading.stream:ChangeStream.open"),
    ("after", "watcher.reading.stream:ChangeStream.next_batch"),
    ("after", "watcher.matching.matcher:Matcher.match"),
    ("after", "executions_app.ledger:enter"),
    ("after", "watcher.sending.publisher:Publisher.publish"),
    ("before", "watcher.reading.position_store:PositionStore.save"),
    ("after", "watcher.reading.position_store:PositionStore.save"),
    ("before", "executions_app.transitions:enqueue"),
    ("after", "executions_app.transitions:enqueue"),
]
"""Lease → term → open → read → match → insert → publish → position; and dispatch's own two steps."""

LAYOUT_STEPS = [
    ("before", "watcher.reading.stream:ChangeStream.open"),
    ("before", "watcher.reading.position_store:PositionStore.save"),
    ("after", "watcher.reading.position_store:PositionStore.save"),
]
"""Between a new division of a stream and the first position under it."""

GAP_STEPS = [
    ("before", "executions_app.gaps:record"),
    ("after", "executions_app.gaps:record"),
    ("after", "watcher.reading.losses:record"),
]
"""Between a loss and the position behind it."""

BACKFILL_STEPS = [
    ("before", "watcher.backfill.recording:record"),
    ("before", "watcher.backfill.recording:_advance"),
    ("after", "watcher.backfill.recording:_advance"),
    ("after", "watcher.backfill.recording:record"),
]
"""Between a backfill's rows and its cursor, which are one transaction, and on both sides of it."""

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


@pytest.mark.faults
def test_sigkill_between_a_new_division_and_its_first_position_loses_and_doubles_nothing(
    fleet: Fleet,
) -> None:
    fleet.publish()
    fleet.start_worker()
    fleet.start_watcher()
    fleet.insert(BATCH)
    fleet.wait_for(lambda: fleet.enriched() == BATCH)
    fleet.kill("watcher")
    for number, (moment, step) in enumerate(LAYOUT_STEPS, start=1):
        fleet.insert(BATCH, start=number * BATCH)
        fleet.cli("streams", "partition", fleet.db.name, str(number + 1))
        die_at(fleet, f"watcher-{number}", moment, step)

    fleet.start_watcher("heir")
    total = BATCH * (1 + len(LAYOUT_STEPS))
    fleet.wait_for(lambda: fleet.enriched() == total)
    fleet.wait_until_idle()
    assert fleet.model.calls()["total"] == total


@pytest.mark.faults
def test_sigkill_between_a_loss_on_record_and_the_position_behind_it_leaves_one_gap_that_is_closed(
    fleet: Fleet,
) -> None:
    fleet.publish()
    fleet.start_worker()
    fleet.start_watcher()
    fleet.insert(1)
    fleet.wait_for(lambda: fleet.enriched() == 1)
    fleet.kill("watcher")
    for number, (moment, step) in enumerate(GAP_STEPS):
        keys = [f"{number}-{part}" for part in range(BATCH)]
        fleet.db.staging.insert_many([{"_id": key, "text": f"renamed {key}"} for key in keys])
        fleet.db.staging.rename("tickets", dropTarget=True)
        die_at(fleet, f"watcher-{number}", moment, step)

    fleet.start_watcher("heir")
    fleet.wait_for(lambda: fleet.enriched() == BATCH)
    closed = [("collection_renamed", "closed")] * len(GAP_STEPS)
    fleet.wait_for(lambda: fleet.rows("SELECT kind, status FROM executions_app_streamgap") == closed)
    fleet.wait_until_idle()
    assert max(fleet.model.calls()["per_prompt"].values()) == 1


@pytest.mark.faults
def test_sigkill_between_a_backfills_rows_and_its_cursor_loses_and_doubles_nothing(fleet: Fleet) -> None:
    total = 40
    fleet.insert(total)
    fleet.publish()
    fleet.start_worker()
    fleet.cli("backfill", "support", "--no-wait")
    for number, (moment, step) in enumerate(BACKFILL_STEPS):
        die_at(fleet, f"watcher-{number}", moment, step)

    fleet.start_watcher("heir")
    fleet.wait_for(lambda: fleet.enriched() == total)
    fleet.wait_for(lambda: fleet.rows("SELECT status FROM executions_app_backfill") == [("completed",)])
    fleet.wait_until_idle()
    assert fleet.model.calls()["total"] == total
    assert fleet.count("SELECT sum(recorded) FROM executions_app_backfillrange") == total


def die_at(fleet: Fleet, name: str, moment: str, step: str) -> None:
    """Run a watcher until it kills itself at this step."""
    child = fleet.start_module(name, "tests.acceptance.kill_at", moment, step, "watcher")
    fleet.wait_until_dead(name, child)


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
