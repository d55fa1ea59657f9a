"""The story of a run is told in order of time, whatever is missing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from executions_app.models import Attempt, Execution, Hold, Intervention
from executions_app.states import Reason, Status, reason_meaning
from executions_app.timeline import Moment, timeline

START = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def execution(**changes: object) -> Execution:
    values: dict[str, object] = {
        "id": "a" * 32,
        "agent_id": "triage",
        "database": "shop",
        "collection": "tickets",
        "document_id": "t1",
        "operation": "insert",
        "event_time": f"{int(START.timestamp()):08x}00000001",
        "status": Status.QUEUED,
        "created_at": START + timedelta(seconds=1),
        "queued_at": START + timedelta(seconds=1),
        "due_at": START + timedelta(seconds=1),
        **changes,
    }
    return Execution(**values)


def call(second: int, number: int, outcome: str) -> Attempt:
    return Attempt(
        claim=1, number=number, started_at=START + timedelta(seconds=second), model="m", outcome=outcome
    )


def test_a_row_that_waits_in_the_broker_has_no_end() -> None:
    moments = [step.moment for step in timeline(execution(), [])]

    assert moments == [Moment.EVENT, Moment.RECORDED, Moment.QUEUED]


def test_calls_and_the_end_stand_in_order_of_time() -> None:
    ended = execution(
        status=Status.COMPLETED,
        reason=Reason.WRITTEN,
        claim=1,
        started_at=START + timedelta(seconds=2),
        completed_at=START + timedelta(seconds=9),
    )

    steps = timeline(ended, [call(3, 1, "answer_invalid"), call(5, 2, "valid")])

    assert [step.moment for step in steps] == [
        Moment.EVENT,
        Moment.RECORDED,
        Moment.QUEUED,
        Moment.CLAIMED,
        Moment.CALL,
        Moment.CALL,
        Moment.ENDED,
    ]
    assert [step.title for step in steps if step.call] == [
        "prompt of claim 1 to m: answer_invalid",
        "repair 1 of claim 1 to m: valid",
    ]
    assert [step.at for step in steps] == sorted(step.at for step in steps)


def test_a_row_that_waits_says_until_when_and_why() -> None:
    *_, last = timeline(execution(status=Status.PENDING, reason="rate_limited", error="slow down"), [])

    assert (last.moment, last.at, last.detail) == (Moment.WAITING, START + timedelta(seconds=1), "slow down")


def test_an_event_of_an_agent_is_told_from_a_users() -> None:
    assert timeline(execution(cascade=True), [])[0].title.endswith("by an agent")


def test_a_row_that_waits_under_a_hold_says_so() -> None:
    waits = execution(status=Status.PENDING, reason="admission")
    hold = Hold(scope="triage", by="ann", why="wrong prompt", at=START + timedelta(minutes=5))

    *_, last = timeline(waits, [], hold=hold)

    assert (last.title, last.detail) == ("held by ann, until somebody resumes agent 'triage'", "wrong prompt")


def test_a_hold_that_began_before_the_last_thing_that_happened_stands_behind_it() -> None:
    waits = execution(status=Status.PENDING, reason="provider_timeout", due_at=START + timedelta(seconds=30))
    hold = Hold(scope="", by="ann", why="", at=START)

    *_, due, last = timeline(waits, [call(20, 1, "provider_timeout")], hold=hold)

    assert (due.title, last.title) == (
        "due; waits because of provider_timeout",
        "held by ann, until somebody resumes all agents",
    )
    assert last.at == START + timedelta(seconds=20)


def test_who_asked_for_a_run_stands_in_its_story() -> None:
    asked = Intervention(kind="run_again", by="api:ann", at=START + timedelta(seconds=1), of="b" * 32)

    *_, step = timeline(execution(queued_at=None), [], interventions=[asked])

    assert (step.moment, step.title) == (Moment.ASKED, "asked for again by api:ann")
    assert "b" * 32 in step.detail


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_is_explained(reason: Reason) -> None:
    assert reason_meaning(reason)


def test_the_code_of_an_error_has_no_meaning_beside_its_message() -> None:
    assert not reason_meaning("rate_limited")
