"""What is old is deleted a little at a time, and nothing that has not ended, is not counted, or may serve yet."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from executions_app import dead_letter_transitions, fence, ledger, retention, transitions
from executions_app.fence import Fenced, Term
from executions_app.models import Attempt, Execution, HourTally, StrayMessage
from executions_app.retention import START, Keeping, Place, Swept
from executions_app.run import Claimed, Postponement, Settlement
from executions_app.states import Reason, Status
from tests.counting import count_all
from tests.integration.executions_app.conftest import NOW, MakeEvent
from tests.integration.executions_app.letters import stray

ROOM = {"triage": 10_000}
WRITTEN = Settlement(status=Status.COMPLETED, reason=Reason.WRITTEN, written=True)
FAILED = Settlement(status=Status.FAILED, reason="provider_auth", error_type="provider_auth")
LATER = NOW + timedelta(days=40)
MONTH = Keeping(executions=timedelta(days=30))


def started(make_event: MakeEvent, key: object, *, now: datetime = NOW) -> Claimed:
    (id_,) = ledger.record([make_event(key)], room=ROOM, now=now)
    run = transitions.claim(id_, worker="w1", now=now)
    assert run is not None
    Attempt.objects.create(
        execution_id=run.id,
        claim=run.claim,
        number=1,
        input_hash="h",
        started_at=now,
        latency_ms=1,
        provider="sandbox",
        model="m",
        prompt="the prompt",
        reply="the reply",
        answer={"a": 1},
        outcome="valid",
    )
    return run


def ran(make_event: MakeEvent, key: object, end: Settlement = WRITTEN, *, now: datetime = NOW) -> Claimed:
    run = started(make_event, key, now=now)
    assert transitions.settle(run, end, now=now)
    return run


def count(now: datetime = LATER) -> None:
    count_all(now=now)


def sweep(keeping: Keeping = MONTH, *, now: datetime = LATER, dry_run: bool = False) -> Swept:
    """Go through all there is; returns the sums."""
    place: Place | None = START
    steps = []
    while place is not None:
        steps.append(retention.step(place, keeping, now=now, dry_run=dry_run))
        place = steps[-1].place
    return Swept(
        place=None,
        runs=sum(step.runs for step in steps),
        dead_letters=sum(step.dead_letters for step in steps),
        texts=sum(step.texts for step in steps),
    )


def left() -> set[str]:
    return set(Execution.objects.values_list("document_id", flat=True))


def test_old_runs_go_with_their_calls_and_the_figures_stay(make_event: MakeEvent) -> None:
    ran(make_event, "old")
    ran(make_event, "new", now=LATER - timedelta(days=1))
    count()

    swept = sweep()

    assert (swept.runs, left(), Attempt.objects.count()) == (1, {"new"}, 1)
    assert sum(HourTally.objects.values_list("completed", flat=True)) == 2


def test_a_dry_run_says_what_would_go_and_changes_nothing(make_event: MakeEvent) -> None:
    ran(make_event, "old")
    count()
    keeping = Keeping(executions=timedelta(days=60), texts=timedelta(days=7))

    assert sweep(dry_run=True) == Swept(place=None, runs=1)
    assert sweep(keeping, dry_run=True) == Swept(place=None, texts=1)
    assert Attempt.objects.get().prompt == "the prompt"
    assert left() == {"old"}


def test_what_has_not_ended_stays_however_old_it_is(make_event: MakeEvent) -> None:
    started(make_event, "running")
    ledger.record([make_event("pending")], room={}, now=NOW)
    ran(make_event, "ended")
    count()

    sweep()

    assert left() == {"running", "pending"}


def test_nothing_goes_before_it_is_counted(make_event: MakeEvent) -> None:
    ran(make_event, "never counted")
    uncounted = sweep()
    count()
    late = ran(make_event, "counted, and called again by a worker given up for dead")
    count(LATER + timedelta(minutes=1))
    Attempt.objects.filter(execution_id=late.id).update(id=10_000)

    counted = sweep(now=LATER + timedelta(days=40))

    assert uncounted.runs == 0
    assert counted.runs == 1
    assert Execution.objects.get().id == late.id


def test_what_ended_since_the_last_count_stays_however_long_nobody_counts(make_event: MakeEvent) -> None:
    ran(make_event, "counted")
    count()
    ledger.record([make_event("not counted")], room={}, now=NOW)  # without a call, which would be missed too
    transitions.abandon(Execution.objects.all(), Reason.AGENT_NOT_FOUND, now=NOW)

    swept = sweep(now=LATER + timedelta(days=400))

    assert (swept.runs, left()) == (1, {"not counted"})


def test_dead_letters_stay_until_they_are_asked_to_go(make_event: MakeEvent) -> None:
    ran(make_event, "failed", FAILED)
    count()

    kept = sweep(Keeping(executions=timedelta(days=30), texts=timedelta(days=30)))
    assert (kept.runs, kept.dead_letters, kept.texts, left()) == (0, 0, 0, {"failed"})
    assert sweep(Keeping(dead_letters=timedelta(days=30))).dead_letters == 1
    assert left() == set()


def test_texts_are_erased_and_the_rest_of_the_record_stays(make_event: MakeEvent) -> None:
    ran(make_event, "one")
    count()

    swept = sweep(Keeping(texts=timedelta(days=7)))

    call = Attempt.objects.get()
    assert (swept.texts, left()) == (1, {"one"})
    assert (call.prompt, call.reply, call.answer, call.outcome) == ("", "", None, "valid")
    assert sweep(Keeping(texts=timedelta(days=7))).texts == 0


@pytest.mark.parametrize("heir", ["waiting", "failed"])
def test_an_answer_that_another_run_inherits_stays_until_that_one_needs_it_no_more(
    make_event: MakeEvent, heir: str
) -> None:
    superseded = started(make_event, "twice")
    ledger.record([make_event("twice")], room={}, now=NOW)
    transitions.postpone(superseded, Postponement(reason="rate_limited", due_at=NOW), now=NOW)
    (waiting,) = Execution.objects.filter(predecessor=superseded.id).values_list("id", flat=True)
    if heir == "failed":
        run = claim_of(waiting)
        transitions.settle(run, FAILED, now=NOW)
    count()

    sweep(Keeping(executions=timedelta(days=30), texts=timedelta(days=7)))
    assert Attempt.objects.get(execution_id=superseded.id).answer == {"a": 1}

    if heir == "failed":
        dead_letter_transitions.requeue({waiting: LATER}, by="olga", now=LATER)
    transitions.settle(claim_of(waiting), WRITTEN, now=LATER)
    count(LATER + timedelta(days=1))
    sweep(now=LATER + timedelta(days=1))
    assert not Execution.objects.filter(id=superseded.id).exists()


def claim_of(id_: str) -> Claimed:
    transitions.enqueue([id_], now=NOW)
    run = transitions.claim(id_, worker="w1", now=NOW)
    assert run is not None
    return run


def test_a_sweep_goes_on_where_it_was_cut_off(make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "CHUNK", 2)
    for number in range(5):
        end = FAILED if number == 0 else WRITTEN
        ran(make_event, number, end, now=NOW + timedelta(seconds=number))
    count()

    first = retention.step(START, MONTH, now=LATER)
    assert (first.runs, len(left())) == (1, 4)
    assert first.place is not None
    second = retention.step(first.place, MONTH, now=LATER)

    assert (second.runs, left()) == (2, {"0", "4"})
    assert sweep().runs == 1


def test_a_step_is_bounded_however_much_is_old(make_event: MakeEvent) -> None:
    ledger.record([make_event(number) for number in range(500)], room={}, now=NOW)
    transitions.abandon(Execution.objects.all(), Reason.AGENT_NOT_FOUND, now=NOW)
    count()

    assert retention.step(START, MONTH, now=LATER).runs == retention.CHUNK


def test_a_dead_letter_that_is_asked_to_run_again_meanwhile_stays(
    make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = ran(make_event, "failed", FAILED)
    count()
    needed = retention._needed

    def requeued_meanwhile(rows: object) -> set[str]:
        dead_letter_transitions.requeue({failed.id: LATER}, by="olga", now=LATER)
        return needed(rows)  # type: ignore[arg-type]

    monkeypatch.setattr(retention, "_needed", requeued_meanwhile)

    assert sweep(Keeping(dead_letters=timedelta(days=30))).dead_letters == 0
    assert Execution.objects.get().status == Status.PENDING
    assert Attempt.objects.count() == 1


def test_a_leader_of_an_earlier_term_deletes_nothing(make_event: MakeEvent) -> None:
    ran(make_event, "old")
    count()
    fence.begin(Term("upkeep", 2))

    with pytest.raises(Fenced):
        retention.step(START, MONTH, now=LATER, term=Term("upkeep", 1))

    assert left() == {"old"}


def test_off_means_that_everything_is_kept(make_event: MakeEvent) -> None:
    ran(make_event, "old")
    count()

    assert sweep(Keeping()) == Swept(place=None)
    assert left() == {"old"}


def test_a_dead_letter_that_was_put_aside_is_kept_as_long_as_the_others(make_event: MakeEvent) -> None:
    failed = ran(make_event, "failed", FAILED)
    dead_letter_transitions.discard([failed.id], by="ann", why="", now=NOW)
    count()

    sweep(Keeping(executions=timedelta(days=30), texts=timedelta(days=7)))
    assert left() == {"failed"}

    assert sweep(Keeping(dead_letters=timedelta(days=30))).dead_letters == 1
    assert left() == set()


def test_a_dead_letter_that_was_put_aside_before_it_was_counted_has_failed(make_event: MakeEvent) -> None:
    failed = ran(make_event, "failed", FAILED)
    dead_letter_transitions.discard([failed.id], by="ann", why="", now=NOW)

    count()

    assert list(HourTally.objects.values_list("failed", flat=True)) == [1]


def test_messages_without_a_run_go_by_the_age_of_dead_letters_after_they_were_read_last(
    transactional_db: None,
) -> None:
    old, new = stray(b"old"), stray(b"new", at=LATER)
    keeping = Keeping(dead_letters=timedelta(days=30))

    would = retention.delete_messages(keeping, now=LATER, dry_run=True)
    stood = set(StrayMessage.objects.values_list("id", flat=True))
    gone = retention.delete_messages(keeping, now=LATER)

    assert (would, stood, gone) == (1, {old, new}, 1)
    assert StrayMessage.objects.get().pk == new


def test_messages_stay_where_nobody_has_set_an_age_for_dead_letters(transactional_db: None) -> None:
    stray()
    assert retention.delete_messages(MONTH, now=LATER) == 0
    assert StrayMessage.objects.exists()
