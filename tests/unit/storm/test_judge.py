"""The judge of the storm sees each kind of wrong, and nothing wrong where all is well."""

from __future__ import annotations

from dataclasses import fields

from bson import Timestamp

from tests.acceptance.storm.evidence import Call, Evidence
from tests.acceptance.storm.judging.calls import judge_limits, most_in_a_minute
from tests.acceptance.storm.judging.judge import judge
from tests.acceptance.storm.judging.verdict import Verdict
from tests.acceptance.storm.witness import History, Saved
from tests.unit.storm.stories import (
    ANSWERS,
    CHANGES,
    FIRST,
    PLACE,
    SECOND,
    attempt,
    by_agent,
    by_user,
    call,
    document,
    history,
    row,
    sound,
)


def counts(evidence: Evidence) -> dict[str, int]:
    """The findings of each kind that has any."""
    return counted(judge(evidence))


def counted(verdict: Verdict) -> dict[str, int]:
    found = {kind.name: len(getattr(verdict, kind.name)) for kind in fields(verdict)}
    return {name: count for name, count in found.items() if count}


def test_a_history_in_which_all_is_well_has_no_findings() -> None:
    assert counts(sound()) == {}


def test_a_storm_in_which_nothing_was_written_or_asked_has_shown_nothing() -> None:
    assert counts(sound(acknowledged=frozenset())) == {"stuck": 1}
    assert counts(sound(calls=[])) == {"stuck": 1}


def test_a_document_without_an_answer_is_lost() -> None:
    assert counts(sound(held={"strict": [document(SECOND, None)]})) == {"lost": 1}


def test_a_document_with_the_answer_to_an_earlier_state_is_lost() -> None:
    assert counts(sound(held={"strict": [document(SECOND, ANSWERS[FIRST])]})) == {"lost": 1}


def test_a_document_with_an_answer_that_no_model_gave_is_lost() -> None:
    assert counts(sound(held={"strict": [document(SECOND, {"category": "bug"})]})) == {"lost": 1}


def test_a_document_whose_newest_state_the_model_refused_is_explained() -> None:
    evidence = sound(
        held={"strict": [document(SECOND, ANSWERS[FIRST])]},
        history=history(*CHANGES[:3]),
        rows=[row(1, second=10), row(2, second=20, status="failed", error="answer_refused")],
        attempts=[
            attempt("run-1", FIRST),
            attempt("run-2", SECOND, outcome="answer_refused", answer=None),
        ],
        calls=[call(FIRST, started=11), call(SECOND, started=21, outcome="refusal")],
    )
    assert counts(evidence) == {"explained": 1}


def test_a_refusal_of_an_earlier_state_does_not_explain_a_document_without_an_answer() -> None:
    evidence = sound(
        held={"strict": [document(SECOND, None)]},
        history=history(CHANGES[0], CHANGES[2]),
        rows=[row(1, second=10, status="failed", error="answer_refused"), row(2, second=20)],
        attempts=[attempt("run-1", FIRST, outcome="answer_refused"), attempt("run-2", SECOND)],
        calls=[call(FIRST, started=11, outcome="refusal"), call(SECOND, started=21)],
    )
    assert counts(evidence) == {"lost": 1}


def test_a_run_that_failed_though_the_model_did_not_is_lost() -> None:
    rows = [row(1, second=10), row(2, second=20), row(3, second=20, time="", status="failed", error="x")]
    assert counts(sound(rows=rows))["lost"] == 1


def test_a_change_that_mongodb_acknowledged_and_forgot_is_lost() -> None:
    assert counts(sound(acknowledged=frozenset({FIRST, SECOND, "gone"}))) == {"lost": 1}


def test_an_event_without_a_row_is_lost_where_edits_do_not_coalesce() -> None:
    letters = by_user(30, "x", namespace="shop.letters", operation="insert")
    assert counts(sound(history=history(*CHANGES, letters))) == {"lost": 1}


def test_a_second_write_of_one_run_is_doubled() -> None:
    again = by_agent(23, SECOND, execution="run-2", read_at=21)
    assert counts(sound(history=history(*CHANGES, again))) == {"doubled": 1}


def test_a_second_run_that_writes_the_same_answer_is_doubled() -> None:
    again = by_agent(23, SECOND, execution="run-3", read_at=22)
    assert counts(sound(history=history(*CHANGES, again))) == {"doubled": 1}


def test_an_answer_that_is_made_again_because_a_user_took_it_away_is_not_doubled() -> None:
    replaced = by_user(23, SECOND, operation="replace")
    again = by_agent(25, SECOND, execution="run-3", read_at=24)
    evidence = sound(
        history=history(*CHANGES, replaced, again),
        rows=[row(1, second=10), row(2, second=20), row(3, second=23)],
    )
    assert counts(evidence) == {}


def test_two_rows_for_one_event_are_doubled() -> None:
    assert counts(sound(rows=[row(1, second=10), row(2, second=20), row(3, second=20)])) == {"doubled": 1}


def test_a_row_that_nobody_asked_for_is_doubled() -> None:
    assert counts(sound(rows=[row(1, second=10), row(2, second=20), row(3, second=22)])) == {"doubled": 1}


def test_a_strict_answer_to_a_text_that_stood_there_before_is_stale() -> None:
    late = by_agent(22, FIRST, execution="run-1", read_at=11)
    changes = (CHANGES[0], CHANGES[2], late, by_agent(24, SECOND, execution="run-2", read_at=23))
    assert counts(sound(history=history(*changes))) == {"stale": 1}


def test_an_answer_over_one_whose_run_had_read_later_is_stale() -> None:
    late = by_agent(23, SECOND, execution="run-3", read_at=20)
    assert counts(sound(history=history(*CHANGES, by_user(22, SECOND), late))).get("stale") == 1


def test_a_later_event_that_ended_first_is_stale_where_edits_do_not_coalesce() -> None:
    letters = [by_user(second, "x", namespace="shop.letters", operation="insert") for second in (30, 40)]
    rows = [
        row(3, second=30, agent="ordered", completed_at="2026-11-29 12:01:00"),
        row(4, second=40, agent="ordered", completed_at="2026-11-29 12:00:59"),
    ]
    evidence = sound(history=history(*CHANGES, *letters), rows=[*sound().rows, *rows])
    assert counts(evidence) == {"stale": 1}


def test_a_position_that_goes_back_is_stale() -> None:
    back = (Saved("shop", Timestamp(21, 1), 2, 0), Saved("shop", Timestamp(11, 1), 2, 0))
    assert counts(sound(history=History(CHANGES, back))) == {"stale": 1}


def test_a_position_under_an_earlier_term_is_stale() -> None:
    under = (Saved("shop", Timestamp(11, 1), 2, 0), Saved("shop", Timestamp(21, 1), 1, 0))
    assert counts(sound(history=History(CHANGES, under))) == {"stale": 1}


def test_a_row_that_is_not_at_its_end_is_stuck() -> None:
    unfinished = row(2, second=20, status="running", completed_at=None)
    assert counts(sound(rows=[row(1, second=10), unfinished])) == {"stuck": 1}


def test_a_process_that_ended_though_nobody_struck_it_is_stuck() -> None:
    assert counts(sound(ended=["worker-1 ended with exit code 1"])) == {"stuck": 1}


def test_a_lease_of_a_dead_process_and_a_stream_that_stands_still_are_stuck() -> None:
    assert counts(sound(nobodys=["the lease of pid 7"], unmoved=["shop"])) == {"stuck": 2}


def test_a_second_call_is_extra_unless_a_worker_died_with_the_first_in_the_air() -> None:
    twice = [call(FIRST, started=11), call(SECOND, started=21), call(SECOND, started=22)]
    assert counts(sound(calls=twice)) == {"extra_calls": 1}
    assert counts(sound(calls=twice, rows=[row(1, second=10), row(2, second=20, claim=2)])) == {}


def test_a_run_whose_worker_died_and_whose_work_another_took_over_excuses_a_call() -> None:
    twice = [call(FIRST, started=11), call(SECOND, started=21), call(SECOND, started=22)]
    superseded = row(2, second=20, status="skipped", duration=None)
    assert counts(sound(calls=twice, rows=[row(1, second=10), superseded])) == {}


def test_a_claim_that_ended_by_a_postponement_excuses_no_call() -> None:
    twice = [call(FIRST, started=11), call(SECOND, started=21), call(SECOND, started=22)]
    rows = [row(1, second=10), row(2, second=20, claim=2, deferrals=1)]
    assert counts(sound(calls=twice, rows=rows)) == {"extra_calls": 1}


def test_an_answer_that_a_cut_line_has_swallowed_excuses_a_call() -> None:
    twice = [call(FIRST, started=11), call(SECOND, started=21), call(SECOND, started=22)]
    swallowed = attempt("run-2", SECOND, outcome="provider_unavailable", answer=None)
    rows = [row(1, second=10), row(2, second=20, claim=2, deferrals=1)]
    assert counts(sound(calls=twice, rows=rows, attempts=[*sound().attempts, swallowed])) == {}


def test_a_failure_of_the_model_itself_does_not_excuse_a_sound_answer_twice() -> None:
    thrice = [*sound().calls, call(SECOND, started=20, outcome="error_500"), call(SECOND, started=22)]
    failed = attempt("run-2", SECOND, outcome="provider_error_5xx", answer=None)
    rows = [row(1, second=10), row(2, second=20, claim=2, attempts=1)]
    evidence = sound(calls=thrice, rows=rows, attempts=[*sound().attempts, failed])
    assert counts(evidence) == {"extra_calls": 1}


def test_what_is_dropped_begins_anew() -> None:
    dropped = by_user(23, None, key="", operation="drop")
    fresh = by_user(24, SECOND, operation="insert")
    again = by_agent(26, SECOND, execution="run-3", read_at=25)
    evidence = sound(
        history=history(*CHANGES, dropped, fresh, again),
        rows=[*sound().rows, row(3, second=24)],
    )
    assert counts(evidence) == {}
    assert dropped.namespace == PLACE


def test_four_calls_at_once_of_an_agent_that_allows_three_are_over_its_limit() -> None:
    verdict = Verdict()
    judge_limits([Call(f"[few] few-0-{n} in its state", 10.0, 11.0, "answered") for n in range(4)], verdict)
    assert counted(verdict) == {"over_limit": 1}


def test_a_call_that_begins_when_another_ends_is_within_the_limit() -> None:
    verdict = Verdict()
    judge_limits(
        [Call(f"[few] few-0-{n} in its state", 10.0 + n // 3, 11.0 + n // 3, "answered") for n in range(9)],
        verdict,
    )
    assert counted(verdict) == {}


def test_the_busiest_minute_is_any_sixty_seconds() -> None:
    assert most_in_a_minute([0, 59, 60, 61, 119, 121]) == 3
