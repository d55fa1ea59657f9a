"""Every end and every call is counted once, whoever ends late, fails twice, or counts at the same time."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta

import pytest
from django.db import connection, transaction

from executions_app import counting, dead_letter_transitions, fence, ledger, transitions
from executions_app.fence import Fenced, Term
from executions_app.models import Attempt, Execution, HourTally, TallyCursor, WorkerProcess
from executions_app.run import Claimed, Postponement, Settlement
from executions_app.states import Reason, Status
from executions_app.tally import Tally
from executions_app.tally_rows import tally_of
from tests.counting import count_all
from tests.integration.executions_app.conftest import NOW, MakeEvent

ROOM = {"triage": 10_000}
SLO_MS = 3_000
WRITTEN = Settlement(status=Status.COMPLETED, reason=Reason.WRITTEN, written=True)
FAILED = Settlement(status=Status.FAILED, reason="provider_auth", error_type="provider_auth")
UNCHANGED = Settlement(status=Status.SKIPPED, reason=Reason.UNCHANGED_INPUT)


def ran(make_event: MakeEvent, key: object, *, since: datetime = NOW) -> Claimed:
    """Put an event on record and claim it 2 s later."""
    (id_,) = ledger.record([make_event(key)], room=ROOM, now=since)
    run = transitions.claim(id_, worker="w1", now=since + timedelta(seconds=2))
    assert run is not None
    return run


def ended(make_event: MakeEvent, key: object, end: Settlement = WRITTEN, *, seconds: float = 2.5) -> Claimed:
    run = ran(make_event, key)
    assert transitions.settle(run, end, now=NOW + timedelta(seconds=seconds))
    return run


def called(run: Claimed, *, tokens: int, cost: int | None) -> None:
    Attempt.objects.create(
        execution_id=run.id,
        claim=run.claim,
        number=1,
        input_hash="h",
        started_at=run.started_at,
        latency_ms=1,
        provider="sandbox",
        model="m",
        prompt="p",
        outcome="valid",
        prompt_tokens=tokens,
        cost_nanousd=cost,
    )


def count(now: datetime = NOW + timedelta(minutes=1), term: Term | None = None) -> Tally:
    """Count all there is; returns the sums over everything."""
    count_all(slo_ms=SLO_MS, now=now, term=term)
    return sums()


def sums() -> Tally:
    total = Tally()
    for row in HourTally.objects.all():
        total.add(tally_of(row))
    return total


def test_runs_are_counted_by_their_end_with_latency_wait_and_reason(make_event: MakeEvent) -> None:
    ended(make_event, "quick", seconds=2.5)
    ended(make_event, "slow", seconds=60)
    ended(make_event, "broken", FAILED)
    ended(make_event, "same", UNCHANGED)

    total = count(NOW + timedelta(minutes=2))

    assert total.ends == {"completed": 2, "failed": 1, "skipped": 1}
    assert (total.within_slo, total.failures, total.skips) == (
        1,
        {"provider_auth": 1},
        {"unchanged_input": 1},
    )
    assert (total.latency.total(), total.running.total(), total.waiting.total()) == (2, 2, 4)


def test_an_end_counts_in_the_hour_in_which_it_was_and_once_only(make_event: MakeEvent) -> None:
    ended(make_event, "one")
    count()
    ended(make_event, "two", seconds=3600)

    total = count(NOW + timedelta(hours=2))
    again = count(NOW + timedelta(hours=3))

    hours = dict(HourTally.objects.values_list("hour", "completed"))
    assert hours == {NOW: 1, NOW + timedelta(hours=1): 1}
    assert total == again


def test_calls_count_whether_or_not_their_run_has_ended_and_unknown_prices_are_no_zeros(
    make_event: MakeEvent,
) -> None:
    called(ran(make_event, "going on"), tokens=100, cost=400)
    called(ended(make_event, "done"), tokens=50, cost=None)

    total = count()

    assert (total.model_calls, total.tokens, total.cost_nanousd, total.unpriced_calls) == (2, 150, 400, 1)


def test_a_dead_letter_that_runs_again_has_failed_once_and_ended_once_more(make_event: MakeEvent) -> None:
    failed = ended(make_event, "one", FAILED)
    called(failed, tokens=100, cost=7)
    count()
    dead_letter_transitions.requeue({failed.id: NOW + timedelta(hours=1)}, by="olga", now=NOW)
    transitions.enqueue([failed.id], now=NOW + timedelta(hours=1))
    run = transitions.claim(failed.id, worker="w1", now=NOW + timedelta(hours=1))
    assert run is not None
    called(run, tokens=10, cost=1)
    transitions.settle(run, WRITTEN, now=NOW + timedelta(hours=1, seconds=1))

    total = count(NOW + timedelta(hours=2))

    assert total.ends == {"failed": 1, "completed": 1}
    assert (total.model_calls, total.tokens, total.cost_nanousd) == (2, 110, 8)


def test_an_end_that_comes_late_is_counted_after_all(make_event: MakeEvent) -> None:
    run = ran(make_event, "late")
    ended(make_event, "in time", seconds=100)
    before = count(NOW + timedelta(hours=3))

    transitions.settle(
        run, WRITTEN, now=NOW + timedelta(seconds=3)
    )  # a worker whose ledger was away for hours
    total = count(NOW + timedelta(hours=4))

    assert before.ends == {"completed": 1}
    assert total.ends == {"completed": 2}


@pytest.mark.parametrize("ending", ["abandon", "shed", "supersede"])
def test_no_way_to_an_end_goes_round_the_announced_time(make_event: MakeEvent, ending: str) -> None:
    ended(make_event, "first")
    count(NOW + timedelta(hours=3))
    if ending in {"abandon", "shed"}:
        ledger.record([make_event("unwanted")], room={}, now=NOW)
        rows = Execution.objects.filter(status=Status.PENDING)
        if ending == "abandon":
            transitions.abandon(rows, Reason.AGENT_NOT_FOUND, now=NOW)
        else:
            transitions.shed(rows, Status.SKIPPED, now=NOW)
    else:
        run = ran(make_event, "twice")
        ledger.record([make_event("twice")], room={}, now=NOW)
        wait = Postponement(reason="rate_limited", due_at=NOW)
        transitions.postpone(run, wait, now=NOW)

    assert count(NOW + timedelta(hours=4)).ends == {"completed": 1, "skipped": 1}


def test_a_run_that_is_buried_for_its_workers_deaths_is_counted_by_a_watcher_whose_clock_is_slow_too(
    make_event: MakeEvent,
) -> None:
    ended(make_event, "first")
    count(NOW + timedelta(hours=3))
    ran(make_event, "poison")
    WorkerProcess.objects.create(id="w1", role="worker", host="box", pid=1, started_at=NOW, beat_at=NOW)

    assert transitions.reclaim(["w1"], now=NOW, poison_after=1) == 1

    assert count(NOW + timedelta(hours=4)).ends == {"completed": 1, "failed": 1}


def test_any_number_of_runs_that_ended_at_once_are_counted_in_steps(
    make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counting, "CHUNK", 3)
    ledger.record([make_event(number) for number in range(10)], room={}, now=NOW)
    transitions.abandon(Execution.objects.all(), Reason.AGENT_NOT_FOUND, now=NOW)

    assert count().ends == {"skipped": 10}


def test_an_idle_ledger_costs_no_write(make_event: MakeEvent) -> None:
    ended(make_event, "one")
    count()
    before = TallyCursor.objects.values().get()

    count(NOW + timedelta(hours=5))

    assert TallyCursor.objects.values().get() == before


def test_who_counts_under_an_earlier_term_adds_nothing(make_event: MakeEvent) -> None:
    ended(make_event, "one")
    fence.begin(Term("upkeep", 2))

    with pytest.raises(Fenced):
        count(term=Term("upkeep", 1))

    assert not HourTally.objects.exists()


def test_two_who_count_at_once_count_once(make_event: MakeEvent) -> None:
    for number in range(200):
        ended(make_event, number)
    fenced = []

    def work() -> None:
        try:
            count()
        except Fenced:
            fenced.append(1)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert count().ends == {"completed": 200}


def test_what_ends_while_a_time_is_announced_is_waited_for(make_event: MakeEvent) -> None:
    """PostgreSQL: a transaction that began before may commit an earlier end afterwards."""
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has one writer at a time")
    run = ran(make_event, "slow to commit")
    ended(make_event, "quick")
    began, may_commit = threading.Event(), threading.Event()

    def settle_slowly() -> None:
        with transaction.atomic():
            transitions.settle(run, WRITTEN, now=NOW + timedelta(seconds=3))
            began.set()
            may_commit.wait(30)
        connection.close()

    slow = threading.Thread(target=settle_slowly)
    slow.start()
    assert began.wait(30)
    while counting.step(slo_ms=SLO_MS, now=NOW + timedelta(minutes=1)).more:
        continue
    while_it_waits = sums()
    assert counting.waits_for_others()
    may_commit.set()
    slow.join()

    assert while_it_waits.ends == {}
    assert count().ends == {"completed": 2}
