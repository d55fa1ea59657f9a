"""Another system is told of dead letters and gaps: once on record, sent until it is taken."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from agents_app.models import Agent
from agents_app.spec import HistoryPolicy
from executions_app import fence, gaps, ledger, transitions
from executions_app.fence import Fenced, Term
from executions_app.gaps import NewGap
from executions_app.models import GapKind, Notification, NotificationCursor
from executions_app.notifications import outbox, sending
from executions_app.run import Settlement
from executions_app.states import Status
from executions_app.webhooks.signatures import OWN, check_own
from tests.counting import count_all
from tests.integration.executions_app.conftest import MakeEvent
from tests.integration.executions_app.notifications.conftest import Receiver, told

TERM = Term("upkeep", 1)
SECRET = "a long and random secret"
FAILED = Settlement(status=Status.FAILED, reason="provider_auth")
Die = Callable[..., None]


@pytest.fixture
def die(make_event: MakeEvent) -> Die:
    """Let runs fail at a time, and count up to it."""

    def die(count: int, at: datetime) -> None:
        keys = [f"{at}-{number}" for number in range(count)]
        ids = ledger.record([make_event(key) for key in keys], room={"triage": count}, now=at)
        for id_ in ids:
            run = transitions.claim(id_, worker="w", now=at)
            assert run is not None
            transitions.settle(run, FAILED, now=at)
        count_all(now=at + timedelta(seconds=60))

    return die


def test_dead_letters_of_a_look_are_one_notification_and_are_told_once(
    agent: Agent, url: str, die: Die
) -> None:
    now = datetime.now(UTC) - timedelta(hours=1)
    fence.begin(TERM)
    die(1, now)
    assert outbox.find_dead_letters(now=now, term=TERM) == 0, (
        "what failed before anybody listened is not told"
    )

    die(3, now + timedelta(minutes=5))
    assert outbox.find_dead_letters(now=now, term=TERM) == 1
    assert outbox.find_dead_letters(now=now, term=TERM) == 0

    [one] = told()
    assert (one["event"], one["agent_id"], one["count"]) == ("dead_letter", "triage", 3)
    assert one["reasons"] == {"provider_auth": 3}


def test_what_failed_at_the_very_moment_up_to_which_was_looked_is_told_by_the_next_look(
    agent: Agent, url: str, die: Die
) -> None:
    now = datetime.now(UTC) - timedelta(hours=1)
    fence.begin(TERM)
    die(1, now)
    outbox.find_dead_letters(now=now, term=TERM)

    die(1, NotificationCursor.objects.get().until)

    assert outbox.find_dead_letters(now=now, term=TERM) == 1
    assert [one["count"] for one in told()] == [1]


def test_a_look_that_is_cut_off_or_comes_from_a_former_leader_tells_nothing(
    agent: Agent, url: str, die: Die, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = datetime.now(UTC) - timedelta(hours=1)
    fence.begin(TERM)
    die(1, now)
    outbox.find_dead_letters(now=now, term=TERM)
    die(1, now + timedelta(minutes=5))

    with monkeypatch.context() as patch:
        patch.setattr(outbox, "_failures", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            outbox.find_dead_letters(now=now, term=TERM)
    fence.begin(Term("upkeep", 2))
    with pytest.raises(Fenced):
        outbox.find_dead_letters(now=now, term=TERM)

    assert told() == []
    assert outbox.find_dead_letters(now=now, term=Term("upkeep", 2)) == 1


def test_a_gap_is_told_with_its_record(agent: Agent, url: str) -> None:
    gap = NewGap(
        agent_id="triage",
        database="shop",
        collection="tickets",
        kind=GapKind.HISTORY_LOST,
        since="0" * 16,
        until="1" * 16,
        policy=HistoryPolicy.SKIP,
    )
    now = datetime.now(UTC)
    row = gaps.record(gap, now=now)
    gaps.record(gap, now=now)

    [one] = told()
    assert (one["event"], one["gap_id"], one["kind"]) == ("gap", row.id, "history_lost")


def test_nobody_is_told_where_no_address_is_set(agent: Agent, die: Die) -> None:
    now = datetime.now(UTC) - timedelta(hours=1)
    fence.begin(TERM)
    die(1, now)
    outbox.find_dead_letters(now=now, term=TERM)
    assert not NotificationCursor.objects.exists()


def waiting(now: datetime) -> Notification:
    return Notification.objects.create(
        id="a" * 32, event="gap", agent_id="triage", body={"id": "a" * 32}, created_at=now, due_at=now
    )


@pytest.mark.usefixtures("transactional_db")
def test_it_is_signed_and_names_itself(receiver: Receiver, url: str) -> None:
    now = datetime.now(UTC)
    waiting(now)

    assert sending.send_next(url, SECRET, now=now)

    [(headers, body)] = receiver.got
    assert check_own(SECRET, body, {OWN: headers[OWN]}, second=int(now.timestamp()))
    assert json.loads(body)["id"] == headers[sending.DELIVERY] == "a" * 32
    assert Notification.objects.get().sent_at == now
    assert not sending.send_next(url, SECRET, now=now), "nothing is left"


@pytest.mark.usefixtures("transactional_db")
def test_what_is_not_taken_is_sent_again_ever_later_and_given_up_after_a_day(
    receiver: Receiver, url: str
) -> None:
    now = datetime.now(UTC)
    waiting(now)
    receiver.status = 302

    assert sending.send_next(url, "", now=now)
    row = Notification.objects.get()
    assert (row.problem, row.due_at - now, row.sent_at) == ("status 302", timedelta(seconds=5), None)
    assert not sending.send_next(url, "", now=now), "it waits"
    sending.send_next(url, "", now=row.due_at)
    assert Notification.objects.get().due_at - row.due_at == timedelta(seconds=10)

    sending.send_next(url, "", now=now + timedelta(hours=25))
    assert Notification.objects.get().given_up_at is not None
    assert OWN not in receiver.got[0][0]
    receiver.status = 200
    assert not sending.send_next(url, "", now=now + timedelta(hours=26))
    sending.forget(now=now + timedelta(days=31))
    assert not Notification.objects.exists()


@pytest.mark.usefixtures("transactional_db")
def test_an_address_that_does_not_answer_is_a_problem_without_the_address() -> None:
    now = datetime.now(UTC)
    waiting(now)

    assert sending.send_next("http://127.0.0.1:1/secret-path", "", now=now)

    assert Notification.objects.get().problem == "NewConnectionError"
