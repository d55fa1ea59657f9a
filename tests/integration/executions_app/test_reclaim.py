"""Runs of dead workers: back to work, and to the dead letters where worker after worker dies."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection

from executions_app import dead_letter_transitions, ledger, transitions
from executions_app.heartbeat import Heartbeat
from executions_app.models import Execution, WorkerProcess
from executions_app.run import Claimed, Postponement
from executions_app.states import Reason, Status
from tests.integration.executions_app.conftest import NOW, MakeEvent


def start(worker: str, *, leaving: bool = False) -> None:
    WorkerProcess.objects.create(
        id=worker, role="worker", host="box", pid=1, started_at=NOW, beat_at=NOW, leaving=leaving
    )


def insert_as_the_release_before(worker: str) -> None:
    """Write a worker's row by the columns that there were before workers told their slots."""
    moment = connection.ops.adapt_datetimefield_value(NOW)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO executions_app_workerprocess (id, role, host, pid, started_at, beat, beat_at)"
            " VALUES (%s, 'worker', 'box', 1, %s, 0, %s)",
            [worker, moment, moment],
        )


def claimed(id_: str, worker: str) -> Claimed:
    transitions.enqueue([id_], now=NOW)
    run = transitions.claim(id_, worker=worker, now=NOW)
    assert run is not None
    return run


@pytest.fixture
def waiting(make_event: MakeEvent) -> str:
    [id_] = ledger.record([make_event()], room={"triage": 9}, now=NOW)
    return id_


def kill(id_: str, *workers: str, poison_after: int = 3) -> Execution:
    """Let workers die one after the other with the row in their hands."""
    for worker in workers:
        start(worker)
        claimed(id_, worker)
        transitions.reclaim([worker], now=NOW, poison_after=poison_after)
    return Execution.objects.get(id=id_)


def test_a_row_that_outlives_so_many_workers_is_a_dead_letter(waiting: str) -> None:
    assert kill(waiting, "w1", "w2").status == Status.PENDING
    row = kill(waiting, "w3")
    assert (row.status, row.reason, row.error_type) == (Status.FAILED, Reason.POISON_RUN, "poison_run")
    assert (row.losses, row.completed_at) == (3, NOW)


def test_a_worker_that_took_its_row_away_or_was_asked_to_stop_is_not_counted(waiting: str) -> None:
    for worker in ("gone", "leaving"):
        if worker == "leaving":
            start(worker, leaving=True)
        claimed(waiting, worker)
        assert transitions.reclaim([worker], now=NOW, poison_after=1) == 1

    row = Execution.objects.get()
    assert (row.status, row.losses) == (Status.PENDING, 0)


def test_a_worker_of_the_release_before_gives_its_signs_of_life_beside_new_ones(waiting: str) -> None:
    insert_as_the_release_before("old")

    claimed(waiting, "old")

    assert WorkerProcess.objects.get().slots == 0
    assert transitions.reclaim(["old"], now=NOW) == 1


def test_workers_that_die_in_one_look_bury_nothing(make_event: MakeEvent) -> None:
    ids = ledger.record([make_event("a"), make_event("b")], room={"triage": 9}, now=NOW)
    for id_, worker in zip(ids, ("w1", "w2"), strict=True):
        start(worker)
        claimed(id_, worker)

    assert transitions.reclaim(["w1", "w2"], now=NOW, poison_after=1) == 2
    assert set(Execution.objects.values_list("status", "losses")) == {(Status.PENDING, 0)}


def test_workers_that_died_together_bury_nothing_although_one_is_found_dead_later(
    make_event: MakeEvent,
) -> None:
    ids = ledger.record([make_event("a"), make_event("b")], room={"triage": 9}, now=NOW)
    company = {"w1": ["w2"], "w2": ["w1"]}
    for id_, worker in zip(ids, company, strict=True):
        start(worker)
        claimed(id_, worker)

    for worker in company:
        assert transitions.reclaim([worker], now=NOW, company=company, poison_after=1) == 1

    assert set(Execution.objects.values_list("status", "losses")) == {(Status.PENDING, 0)}


def test_the_company_of_a_worker_that_was_asked_to_stop_excuses_nobody(waiting: str) -> None:
    start("w1")
    start("w2", leaving=True)
    claimed(waiting, "w1")

    transitions.reclaim(["w1"], now=NOW, company={"w1": ["w2", "gone"]}, poison_after=1)

    assert Execution.objects.get().status == Status.FAILED


def test_a_run_that_came_to_an_end_of_its_own_is_no_suspect_any_more(waiting: str) -> None:
    kill(waiting, "w1", "w2")
    wait = Postponement(reason="rate_limited", error_type="rate_limited", due_at=NOW)
    transitions.postpone(claimed(waiting, "w3"), wait, now=NOW)
    assert Execution.objects.get().losses == 0


def test_a_run_that_a_limit_has_put_off_is_as_suspect_as_before(waiting: str) -> None:
    kill(waiting, "w1", "w2")
    wait = Postponement(reason=Reason.CONCURRENCY_LIMIT, due_at=NOW)
    transitions.postpone(claimed(waiting, "w3"), wait, now=NOW)

    assert kill(waiting, "w4").status == Status.FAILED


def test_a_run_that_a_limit_has_put_off_still_shows_its_last_error(waiting: str) -> None:
    failed = Postponement(
        reason="provider_error_5xx",
        error_type="provider_error_5xx",
        error="It failed while it worked",
        traceback="where",
        due_at=NOW,
    )
    transitions.postpone(claimed(waiting, "w1"), failed, now=NOW)

    wait = Postponement(reason=Reason.CIRCUIT_OPEN, due_at=NOW)
    transitions.postpone(claimed(waiting, "w2"), wait, now=NOW)

    row = Execution.objects.get()
    assert (row.reason, row.error_type, row.error, row.traceback) == (
        Reason.CIRCUIT_OPEN,
        "provider_error_5xx",
        "It failed while it worked",
        "where",
    )


def test_a_requeued_row_has_all_its_lives_again(waiting: str) -> None:
    kill(waiting, "w1", "w2", "w3")
    dead_letter_transitions.requeue({waiting: NOW}, by="olga", now=NOW)
    assert kill(waiting, "w4", "w5").status == Status.PENDING


def test_whoever_waits_for_a_poisoned_document_is_woken(make_event: MakeEvent, waiting: str) -> None:
    kill(waiting, "w1", "w2")
    start("w3")
    claimed(waiting, "w3")
    [newer] = ledger.record([make_event()], room={"triage": 9}, now=NOW)
    transitions.claim(newer, worker="w4", now=NOW)
    assert Execution.objects.get(id=newer).due_at > NOW

    transitions.reclaim(["w3"], now=NOW + timedelta(seconds=1), poison_after=3)

    row = Execution.objects.get(id=newer)
    assert (row.reason, row.due_at) == (Reason.DOCUMENT_BUSY, NOW + timedelta(seconds=1))


def test_a_process_that_was_asked_to_stop_says_so_with_its_next_beat(transactional_db: None) -> None:
    beat = Heartbeat("w1", role="worker", interval=3600, now=lambda: NOW)
    beat.start()
    beat.beat()
    assert not WorkerProcess.objects.get().leaving

    beat.leave()
    beat.beat()

    assert WorkerProcess.objects.get().leaving
    beat.stop()
