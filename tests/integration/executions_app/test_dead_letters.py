"""Dead letters as one list: found, run again at a rate, put aside, brought back, never erased."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models import Q
from django.test.utils import CaptureQueriesContext

from agents_app.publish import archive
from executions_app import dead_letter_transitions, dead_letters, ledger, queries
from executions_app import dead_letter_work as work
from executions_app.dead_letter_work import Left, Selection
from executions_app.dead_letters import DeadLetterAmbiguous, DeadLetterNotFound, Filter, Kind
from executions_app.models import Discard, Execution, Requeue, StrayMessage
from executions_app.states import Reason, Status
from tests.integration.executions_app.conftest import NOW, MakeEvent
from tests.integration.executions_app.letters import dead_run, dead_runs, ids_of, stray

LATER = NOW + timedelta(days=1)
ALL = Selection()


def listed(**wanted: object) -> list[str]:
    return ids_of(dead_letters.newest(Filter(**wanted), limit=100))  # type: ignore[arg-type]


def dues() -> list[float]:
    """When the rows that were requeued may start, in seconds after LATER."""
    rows = Execution.objects.filter(reason=Reason.REQUEUED).order_by("due_at")
    return [(due - LATER).total_seconds() for due in rows.values_list("due_at", flat=True)]


def test_runs_and_messages_are_one_list_newest_first(make_event: MakeEvent) -> None:
    first = dead_run(make_event, at=NOW + timedelta(seconds=1))
    message = stray(at=NOW + timedelta(seconds=2))
    last = dead_run(make_event, at=NOW + timedelta(seconds=3))

    assert listed() == [last, message, first]
    assert ids_of(dead_letters.newest(Filter(), skip=1, limit=1)) == [message]
    assert listed(kind=Kind.MESSAGE) == [message]
    assert [letter.kind for letter in dead_letters.newest(Filter(), limit=9)] == [
        Kind.RUN,
        Kind.MESSAGE,
        Kind.RUN,
    ]


def test_each_part_of_a_filter_narrows_it(make_event: MakeEvent) -> None:
    one = dead_run(make_event, "ticket-1", reason="auth_failed", error="the key is wrong", at=NOW)
    other = dead_run(make_event, "ticket-2", at=NOW + timedelta(minutes=1), collection="notes")
    message = stray(at=NOW + timedelta(minutes=2))

    assert listed(agent_id="triage") == [other, one]
    assert listed(agent_id="nobody") == []
    assert listed(reason="auth_failed") == [one]
    assert listed(database="shop", collection="notes") == [other]
    assert listed(since=NOW + timedelta(minutes=1)) == [message, other]
    assert listed(until=NOW + timedelta(minutes=1)) == [one]
    assert listed(text="THE KEY") == [one]
    assert listed(text="ticket-2") == [other]
    assert listed(text=one[:8]) == [one]
    assert listed(text="billing") == [message]


def test_a_letter_is_found_by_the_beginning_of_its_id(make_event: MakeEvent) -> None:
    id_, message = dead_run(make_event), stray()
    waiting = ledger.record([make_event("other")], room={}, now=NOW)
    del waiting

    assert dead_letters.find(id_[:8]).id == id_
    assert dead_letters.find(message.upper()).kind is Kind.MESSAGE
    for unknown in ("abc", "f" * 32, Execution.objects.get(status=Status.PENDING).id):
        with pytest.raises(DeadLetterNotFound):
            dead_letters.find(unknown)
    StrayMessage.objects.create(id=id_[:10] + "0" * 22, first_seen_at=NOW, last_seen_at=NOW)
    with pytest.raises(DeadLetterAmbiguous):
        dead_letters.find(id_[:8])


def test_without_a_rate_all_run_again_at_once(make_event: MakeEvent) -> None:
    dead_runs(make_event, 3)

    report = work.requeue(ALL, by="olga", now=LATER)

    assert (report.moved, dict(report.left), dues()) == (3, {}, [0, 0, 0])


@pytest.mark.parametrize(
    ("rate", "expected"),
    [(2.0, [0, 0, 1, 1, 2]), (0.5, [0, 2, 4, 6, 8]), (1_000.0, [0] * 5), (1.5, [0, 2 / 3, 4 / 3, 2, 8 / 3])],
)
def test_a_rate_spreads_the_starts_those_that_died_first_before_the_others(
    make_event: MakeEvent, rate: float, expected: list[float]
) -> None:
    ids = dead_runs(make_event, 5)

    work.requeue(ALL, rate=rate, by="olga", now=LATER)

    assert dues() == pytest.approx(expected, abs=1e-5)
    rows = Execution.objects.filter(reason=Reason.REQUEUED).order_by("due_at", "sequence")
    assert list(rows.values_list("id", flat=True)) == ids


def test_a_call_that_was_interrupted_goes_on_where_it_was_and_keeps_the_rate(
    make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dead_letters, "CHUNK", 2)
    dead_runs(make_event, 5)
    cut = work.requeue(Selection(limit=3), rate=1, by="olga", now=LATER)
    assert (cut.moved, cut.more) == (3, True)

    again = work.requeue(Selection(limit=3), rate=1, by="olga", now=LATER)

    assert (again.moved, again.more) == (2, False)
    assert dues() == [0, 1, 2, 3, 4]


def test_every_transaction_is_bounded(make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dead_letters, "CHUNK", 2)
    dead_runs(make_event, 5)
    with CaptureQueriesContext(connection) as queries:
        assert work.requeue(ALL, by="olga", now=LATER).moved == 5

    updates = [query["sql"] for query in queries if query["sql"].startswith("UPDATE")]
    assert len(updates) == 3
    assert all(len(re.findall(r"'[0-9a-f]{32}'", sql)) <= 2 for sql in updates)


def test_what_cannot_run_again_is_reported_with_its_cause(make_event: MakeEvent) -> None:
    older, newer = dead_run(make_event, "twice"), dead_run(make_event, "twice")
    waited_for = dead_run(make_event, "busy")
    ledger.record([make_event("busy")], room={}, now=NOW)
    message = stray()

    report = work.requeue(ALL, by="olga", now=LATER)

    assert report.moved == 1
    assert Execution.objects.get(id=newer).status == Status.PENDING
    assert report.left == {Left.NEWER_RUN: 2, Left.MESSAGE: 1}
    assert set(report.examples[Left.NEWER_RUN]) == {older, waited_for}
    assert report.examples[Left.MESSAGE] == [message]


def test_what_is_of_a_deleted_agent_or_gone_is_reported(make_event: MakeEvent) -> None:
    dead, done = dead_run(make_event, "a"), dead_run(make_event, "b")
    Execution.objects.filter(id=done).update(status=Status.SKIPPED)
    archive("triage", now=NOW)

    report = work.requeue(Selection(ids=(dead, done)), by="olga", now=LATER)

    assert report.examples == {Left.AGENT_DELETED: [dead], Left.CHANGED: [done]}


def test_one_that_was_put_aside_is_told_from_one_that_somebody_else_took(make_event: MakeEvent) -> None:
    aside, done = dead_run(make_event, "a"), dead_run(make_event, "b")
    work.discard(Selection(ids=(aside,)), by="ann", why="", now=LATER)
    work.requeue(Selection(ids=(done,)), by="olga", now=LATER)

    report = work.requeue(Selection(ids=(aside, done)), by="olga", now=LATER)

    assert report.examples == {Left.DISCARDED: [aside], Left.CHANGED: [done]}
    assert report.discarded_at == {aside: LATER}


def test_a_letter_that_was_discarded_long_ago_is_not_said_to_be_a_race(make_event: MakeEvent) -> None:
    run, message = dead_run(make_event), stray()
    work.discard(ALL, by="ann", why="", now=NOW)

    report = work.discard(Selection(ids=(run, message)), by="bob", why="", now=LATER)

    assert report.left == {Left.ALREADY_DISCARDED: 2}
    assert report.discarded_at == {run: NOW, message: NOW}
    work.restore(ALL, by="bob", now=LATER)
    assert work.restore(Selection(ids=(run,)), by="bob", now=LATER).left == {Left.NOT_DISCARDED: 1}


def test_a_letter_that_was_let_run_again_keeps_the_story_of_its_death(make_event: MakeEvent) -> None:
    id_ = dead_run(make_event, error="no room", at=NOW)
    Execution.objects.filter(id=id_).update(attempts=3)
    work.requeue(ALL, by="olga", now=LATER)

    letter = dead_letters.find(id_, once=True).letter

    assert isinstance(letter, Execution)
    assert (letter.status, letter.attempts) == (Status.PENDING, 0)
    told = {step.title: (step.at, step.detail) for step in queries.trace(letter).steps}
    assert told["failed: write_refused"] == (NOW, "write_refused: no room (3 failed tries were counted)")
    assert told["let run again by olga"][0] == LATER
    with pytest.raises(dead_letters.DeadLetterNotFound):
        dead_letters.find(id_)


def test_a_newer_run_that_stands_in_the_way_leaves_no_trace_of_a_second_life(make_event: MakeEvent) -> None:
    dead_run(make_event, "busy")
    ledger.record([make_event("busy")], room={}, now=NOW)

    assert work.requeue(ALL, by="olga", now=LATER).moved == 0
    assert not Requeue.objects.exists()


def test_runs_that_fail_again_meanwhile_are_not_taken_twice(
    make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dead_letters, "CHUNK", 1)
    dead_runs(make_event, 2)
    original = dead_letter_transitions.requeue

    def fails_at_once(due: dict[str, datetime], **given: Any) -> list[str]:
        moved = original(due, **given)
        Execution.objects.filter(id__in=moved).update(
            status=Status.FAILED, completed_at=LATER + timedelta(seconds=1)
        )
        return moved

    monkeypatch.setattr(dead_letter_transitions, "requeue", fails_at_once)

    assert work.requeue(ALL, by="olga", now=LATER).moved == 2


def test_a_letter_that_died_by_a_clock_ahead_of_ours_is_taken_too(make_event: MakeEvent) -> None:
    ahead = dead_run(make_event, at=LATER + timedelta(minutes=1))

    assert listed() == [ahead]
    assert work.requeue(ALL, by="olga", now=LATER).moved == 1


def test_a_change_of_its_document_lets_a_run_start_that_waits_for_its_turn(make_event: MakeEvent) -> None:
    dead_runs(make_event, 2)
    work.requeue(ALL, rate=0.001, by="olga", now=LATER)

    ledger.record([make_event("doc-1")], room={}, now=LATER)

    assert dues() == [0, 0]


def test_a_discarded_letter_is_out_of_every_list_and_count_and_on_record(make_event: MakeEvent) -> None:
    run, message = dead_run(make_event), stray()

    report = work.discard(Selection(ids=(run, message)), by="cli:ann", why="test data", now=LATER)

    assert report.moved == 2
    assert listed() == []
    assert dead_letters.counts() == {}
    assert set(listed(archived=True)) == {run, message}
    letter = dead_letters.find(run)
    assert letter.discard is not None
    assert (letter.discard.by, letter.discard.why, letter.discard.at) == ("cli:ann", "test data", LATER)
    assert work.requeue(ALL, by="olga", now=LATER).moved == 0
    assert work.discard(Selection(ids=(run,)), by="bob", why="", now=LATER).left == {
        Left.ALREADY_DISCARDED: 1
    }


def test_a_discarded_letter_comes_back_as_it_was(make_event: MakeEvent) -> None:
    run, message = dead_run(make_event, error="no room"), stray()
    before = Execution.objects.filter(id=run).values().get()
    work.discard(ALL, by="ann", why="", now=LATER)

    assert work.restore(ALL, by="bob", now=LATER).moved == 2

    assert set(listed()) == {run, message}
    assert Execution.objects.filter(id=run).values().get() == before
    restored = Discard.objects.filter(Q(execution=run) | Q(message=message))
    assert {(row.by, row.restored_by) for row in restored} == {("ann", "bob")}
    assert dead_letters.find(run).discard is None


def test_a_filter_decides_what_is_discarded(make_event: MakeEvent) -> None:
    run, message = dead_run(make_event), stray()

    work.discard(Selection(wanted=Filter(reason="unknown_task")), by="ann", why="", now=LATER)

    assert (listed(), listed(archived=True)) == ([run], [message])


def test_letters_are_counted_by_agent_and_reason_and_the_rarest_together(
    make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        dead_run(make_event, f"doc-{number}", reason="auth_failed")
    dead_run(make_event, "x", reason="write_refused")
    stray()
    assert dead_letters.counts() == {
        ("triage", "auth_failed"): 3,
        ("triage", "write_refused"): 1,
        ("", "unknown_task"): 1,
    }

    monkeypatch.setattr(dead_letters, "MOST_KINDS", 1)

    assert dead_letters.counts() == {("triage", "auth_failed"): 3, ("(others)", "(others)"): 2}


def test_all_of_them_are_gone_through_oldest_first_and_once(
    make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dead_letters, "CHUNK", 2)
    same_moment = [dead_run(make_event, f"doc-{n}", at=NOW) for n in range(5)]
    message = stray()

    assert ids_of(list(dead_letters.every(Filter()))) == [*sorted(same_moment), message]


def plan_of(sql: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {'QUERY PLAN ' if connection.vendor == 'sqlite' else ''}{sql}")
        return str(cursor.fetchall())


def test_lists_and_counts_read_an_index_of_failed_rows_only(make_event: MakeEvent) -> None:
    dead_runs(make_event, 3)
    if connection.vendor == "postgresql":
        # Not on SQLite, where other tests of plans would be planned by these few rows.
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")
            cursor.execute("SET enable_seqscan = off")
    with CaptureQueriesContext(connection) as queries:
        listed()
        listed(agent_id="triage")
        listed(agent_id="triage", reason="write_refused")
        dead_letters.counts()

    asked = [query["sql"] for query in queries if """_execution"."status" = 'failed'""" in query["sql"]]
    assert len(asked) == 4
    assert all("execution_failed_" in plan_of(sql) for sql in asked)
