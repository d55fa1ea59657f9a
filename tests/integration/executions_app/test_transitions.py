"""Every change of a row is a compare-and-set: duplicates and late comers change nothing."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from bson import Timestamp
from django.db import connection

from executions_app import ledger, transitions
from executions_app.models import Attempt, Execution
from executions_app.run import Claimed, Postponement, Settlement
from executions_app.states import Reason, Status
from tests.integration.executions_app.conftest import NOW, MakeEvent

ROOM = {"triage": 100}
DONE = Settlement(status=Status.COMPLETED, reason=Reason.WRITTEN, written=True)


def claimed(make_event: MakeEvent, key: object = "one", **changes: object) -> Claimed:
    """Put an event on record and claim it."""
    ids = ledger.record([make_event(key, **changes)], room=ROOM, now=NOW)
    run = transitions.claim(ids[0], worker="w1", now=NOW)
    assert run is not None
    return run


def status_of(id_: str) -> tuple[str, str]:
    row = Execution.objects.get(id=id_)
    return row.status, row.reason


def paid_for(run: Claimed) -> None:
    """Put a valid answer of the run on record."""
    Attempt.objects.create(
        execution_id=run.id,
        claim=run.claim,
        number=1,
        input_hash="h",
        started_at=NOW,
        latency_ms=1,
        provider="sandbox",
        model="m",
        prompt="p",
        answer={"a": 1},
        outcome="valid",
    )


def test_a_claim_tells_everything_that_the_run_needs(make_event: MakeEvent) -> None:
    run = claimed(make_event, {"tenant": 7}, event_time=Timestamp(2**31 + 5, 9), cascade=True)

    assert (run.claim, run.attempts, run.cascade) == (1, 0, True)
    assert run.event_time == Timestamp(2**31 + 5, 9)
    assert (run.created_at, run.started_at) == (NOW, NOW)
    assert Execution.objects.get().worker == "w1"


def test_a_duplicate_message_claims_nothing(make_event: MakeEvent) -> None:
    run = claimed(make_event)

    assert transitions.claim(run.id, worker="w2", now=NOW) is None
    assert Execution.objects.get().worker == "w1"


def test_of_many_racing_workers_exactly_one_gets_the_row(make_event: MakeEvent) -> None:
    [id_] = ledger.record([make_event()], room=ROOM, now=NOW)
    barrier, won = threading.Barrier(8), []

    def race(name: str) -> None:
        barrier.wait()
        if transitions.claim(id_, worker=name, now=NOW) is not None:
            won.append(name)
        connection.close()

    threads = [threading.Thread(target=race, args=(f"w{n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(won) == 1


def test_a_second_row_of_a_running_document_waits_and_is_woken_when_the_run_ends(
    make_event: MakeEvent,
) -> None:
    run = claimed(make_event)
    [second] = ledger.record([make_event("one")], room=ROOM, now=NOW)

    assert transitions.claim(second, worker="w2", now=NOW) is None
    assert status_of(second) == (Status.PENDING, Reason.DOCUMENT_BUSY)
    assert Execution.objects.get(id=second).due_at > NOW

    later = NOW + timedelta(seconds=1)
    assert transitions.settle(run, DONE, now=later)
    assert Execution.objects.get(id=second).due_at == later


def test_without_coalescing_an_earlier_event_goes_first_whatever_the_order_of_messages(
    make_event: MakeEvent,
) -> None:
    first, second = ledger.record([make_event("one", coalesce=False) for _ in range(2)], room=ROOM, now=NOW)

    assert transitions.claim(second, worker="w", now=NOW) is None
    run = transitions.claim(first, worker="w", now=NOW)
    assert run is not None
    transitions.settle(run, DONE, now=NOW)
    transitions.enqueue([second], now=NOW)
    assert transitions.claim(second, worker="w", now=NOW) is not None


def test_a_worker_given_up_for_dead_settles_nothing_when_it_wakes_up(make_event: MakeEvent) -> None:
    zombie = claimed(make_event)
    assert transitions.reclaim(["w1"], now=NOW) == 1
    transitions.enqueue([zombie.id], now=NOW)
    heir = transitions.claim(zombie.id, worker="w2", now=NOW)
    assert heir is not None

    assert heir.claim == 2
    assert not transitions.settle(zombie, DONE, now=NOW)
    assert status_of(zombie.id) == (Status.RUNNING, "")
    assert transitions.settle(heir, DONE, now=NOW)


def test_reclaiming_takes_the_rows_of_dead_workers_only(make_event: MakeEvent) -> None:
    run = claimed(make_event)

    assert transitions.reclaim(["w7"], now=NOW) == 0
    assert status_of(run.id)[0] == Status.RUNNING


def test_a_retry_burns_an_attempt_and_a_deferral_does_not(make_event: MakeEvent) -> None:
    run = claimed(make_event)
    transitions.postpone(run, Postponement(reason="rate_limited", due_at=NOW), now=NOW)
    transitions.enqueue([run.id], now=NOW)
    again = transitions.claim(run.id, worker="w1", now=NOW)
    assert again is not None
    assert (again.attempts, again.deferrals) == (0, 1)

    transitions.postpone(
        again, Postponement(reason="provider_error", due_at=NOW, burns_attempt=True), now=NOW
    )

    row = Execution.objects.get()
    assert (row.attempts, row.deferrals, row.status) == (1, 1, Status.PENDING)


def test_a_retry_that_meets_a_newer_waiting_row_is_superseded_and_bequeaths_its_answer(
    make_event: MakeEvent,
) -> None:
    run = claimed(make_event)
    paid_for(run)
    [newer] = ledger.record([make_event("one")], room=ROOM, now=NOW)

    assert transitions.postpone(run, Postponement(reason="provider_error", due_at=NOW), now=NOW)

    assert status_of(run.id) == (Status.SKIPPED, Reason.SUPERSEDED)
    assert Execution.objects.get(id=newer).predecessor == run.id


def test_a_dead_workers_run_that_meets_a_newer_waiting_row_is_superseded(make_event: MakeEvent) -> None:
    run = claimed(make_event)
    [newer] = ledger.record([make_event("one")], room=ROOM, now=NOW)

    assert transitions.reclaim(["w1"], now=NOW) == 1

    assert status_of(run.id) == (Status.SKIPPED, Reason.SUPERSEDED)
    assert transitions.claim(newer, worker="w2", now=NOW) is not None


def test_only_pending_rows_enter_the_brokers_window(make_event: MakeEvent) -> None:
    waiting = ledger.record([make_event("a")], room={}, now=NOW)
    assert waiting == []
    pending = Execution.objects.get().id
    run = claimed(make_event, "b")

    assert [row.id for row in transitions.enqueue([run.id, pending], now=NOW)] == [pending]


def test_a_lost_message_brings_its_row_back_to_pending(make_event: MakeEvent) -> None:
    [id_] = ledger.record([make_event()], room=ROOM, now=NOW)

    moved = transitions.withdraw(Execution.objects.filter(id=id_), Reason.OVERDUE, due_at=NOW)

    assert moved == 1
    assert status_of(id_) == (Status.PENDING, Reason.OVERDUE)
    assert transitions.claim(id_, worker="w", now=NOW) is None, "the late message does nothing"


def test_a_move_that_the_table_does_not_know_is_a_programming_error(make_event: MakeEvent) -> None:
    run = claimed(make_event)

    with pytest.raises(transitions.TransitionNotAllowed):
        transitions.settle(run, Settlement(status=Status.QUEUED, reason=""), now=NOW)


def test_an_answer_paid_for_is_inherited_through_a_chain_of_superseded_runs(make_event: MakeEvent) -> None:
    first = claimed(make_event)
    paid_for(first)
    [second_id] = ledger.record([make_event("one")], room=ROOM, now=NOW)
    transitions.postpone(first, Postponement(reason="provider_error", due_at=NOW), now=NOW)
    second = transitions.claim(second_id, worker="w1", now=NOW)
    assert second is not None
    [third_id] = ledger.record([make_event("one")], room=ROOM, now=NOW)

    transitions.postpone(second, Postponement(reason="provider_error", due_at=NOW), now=NOW)

    assert Execution.objects.get(id=third_id).predecessor == first.id


def test_an_outcome_with_text_that_postgresql_refuses_is_recorded_all_the_same(make_event: MakeEvent) -> None:
    run = claimed(make_event)
    end = Settlement(status=Status.FAILED, reason="pipeline_error", error="a\0b\ud800", traceback="\0")

    assert transitions.settle(run, end, now=NOW)
    assert Execution.objects.get().error.startswith("a\ufffdb")
