"""Trouble that lasts is told once when it begins and once when it is over: quarantines, and goals that are broken."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from redis import Redis

from agents_app.models import Agent
from agents_app.publish import set_enabled
from enrichment.errors import QuotaExhausted
from executions_app import fence, holds, ledger, transitions
from executions_app.fence import Fenced, Term
from executions_app.limits import Limiter, LimiterUnavailable, Rules, lessons_of
from executions_app.limits.limiter import Budget, connect
from executions_app.models import Alarm, Execution, Notification, Requeue
from executions_app.notifications import alarms, outbox, quarantines
from executions_app.notifications.alarms import Level, Reading
from executions_app.notifications.goals import GoalKeeper, Goals
from executions_app.run import Settlement
from executions_app.states import Status
from mongoclaw_project.config import Loaded, load_settings, loading
from mongoclaw_project.config.hooks import NotificationEvent
from tests.counting import count_all
from tests.integration.executions_app.conftest import NOW, MakeEvent
from tests.integration.executions_app.notifications.conftest import told

TERM = Term("upkeep", 1)
RULES = Rules(agent_id="triage", account="openai", model="gpt-4o")
SLO = NotificationEvent.SLO
PROMISED = Goals(waiting_seconds=300, failed_share=0.1, late_share=0.2)
A_MINUTE = timedelta(minutes=1)

pytestmark = pytest.mark.usefixtures("url", "agent")

End = Callable[..., None]


@pytest.fixture(autouse=True)
def term(agent: Agent) -> None:
    fence.begin(TERM)


@pytest.fixture
def limiter(redis: Redis) -> Limiter:
    return Limiter(redis, lease_seconds=6.0, monotonic=time.monotonic)


@pytest.fixture
def end(make_event: MakeEvent) -> End:
    """Let runs end at a time, and count up to it."""

    def end(at: datetime, *, good: int = 0, bad: int = 0, took: float = 1) -> None:
        ids = ledger.record(
            [make_event(f"{at}-{n}") for n in range(good + bad)], room={"triage": good + bad}, now=at
        )
        for number, id_ in enumerate(ids):
            run = transitions.claim(id_, worker="w", now=at)
            assert run is not None
            status = Status.COMPLETED if number < good else Status.FAILED
            transitions.settle(run, Settlement(status=status, reason="any"), now=at + timedelta(seconds=took))
        count_all(now=at + timedelta(seconds=60))

    return end


def states() -> list[str]:
    return [one["state"] for one in told()]


def trouble(level: Level) -> list[Reading]:
    return [Reading(about="failed", agent_id="triage", level=level, told={"value": 0.5})]


def settle(level: Level, minutes: float, term: Term = TERM) -> None:
    alarms.settle(SLO, trouble(level), now=NOW + minutes * A_MINUTE, term=term)


def test_what_comes_and_goes_is_told_when_it_begins_and_when_it_has_been_calm_for_long() -> None:
    settle(Level.TROUBLE, 0)
    settle(Level.TROUBLE, 1)
    settle(Level.CALM, 2)
    settle(Level.CALM, 6.9)
    settle(Level.BETWEEN, 6.95)  # not calm any more: the five minutes begin anew
    settle(Level.CALM, 7)
    settle(Level.CALM, 11.9)
    assert states() == ["begun"]

    settle(Level.CALM, 12)
    settle(Level.CALM, 30)
    settle(Level.BETWEEN, 31)
    assert states() == ["begun", "over"]
    assert not Alarm.objects.exists()

    settle(Level.TROUBLE, 32)
    assert states() == ["begun", "over", "begun"], "the next trouble is news"
    first, last, _ = told()
    assert first["since"] == last["since"] == NOW.isoformat()
    assert len({one["id"] for one in told()}) == 3


def test_what_nobody_speaks_of_any_more_is_calm() -> None:
    settle(Level.TROUBLE, 0)
    alarms.settle(SLO, [], now=NOW + A_MINUTE, term=TERM)
    alarms.settle(SLO, [], now=NOW + 6 * A_MINUTE, term=TERM)
    assert states() == ["begun", "over"]


def test_a_former_leader_or_one_that_is_cut_off_tells_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(outbox, "put", lambda _: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            settle(Level.TROUBLE, 0)
    fence.begin(Term("upkeep", 2))
    with pytest.raises(Fenced):
        settle(Level.TROUBLE, 0)
    assert not Alarm.objects.exists()

    settle(Level.TROUBLE, 1, Term("upkeep", 2))
    assert states() == ["begun"]


def look_for_quarantines(limiter: Limiter, minutes: float, *, later: float = 0) -> int:
    """Look at the limiter as its clock has it so many seconds later."""
    return quarantines.look(
        limiter, now=NOW + minutes * A_MINUTE, monotonic=time.monotonic() + later, term=TERM
    )


def test_an_agent_in_quarantine_again_and_again_is_told_once(limiter: Limiter) -> None:
    budget = Budget(failures=1, window_seconds=60, quarantine_seconds=30)
    look_for_quarantines(limiter, 0)
    limiter.count_failure(RULES, budget)
    look_for_quarantines(limiter, 1)
    look_for_quarantines(limiter, 2, later=40)
    limiter.lift(RULES.agent)
    limiter.count_failure(RULES, budget)
    look_for_quarantines(limiter, 3)

    [one] = told()
    assert (one["event"], one["agent_id"], one["about"]) == ("quarantine", "triage", "agent:triage")
    assert (one["state"], one["reason"]) == ("begun", "quarantined")

    look_for_quarantines(limiter, 4, later=40)
    look_for_quarantines(limiter, 9, later=40)
    assert states() == ["begun", "over"]


def test_an_account_without_credit_is_in_trouble_until_a_call_is_answered(limiter: Limiter) -> None:
    (lesson,) = lessons_of(QuotaExhausted(), RULES)
    limiter.report(lesson)
    look_for_quarantines(limiter, 0)
    [one] = told()
    assert (one["agent_id"], one["about"], one["reason"]) == (None, "cooldown:openai", "provider_quota")

    # Its pause is over, and nobody has tried: that says nothing.
    for minute in range(1, 12):
        look_for_quarantines(limiter, minute, later=70)
    assert states() == ["begun"]

    limiter.lift("cooldown:openai")
    look_for_quarantines(limiter, 12)
    look_for_quarantines(limiter, 17)
    assert states() == ["begun", "over"]


def test_a_limiter_that_is_away_ends_no_alarm(limiter: Limiter) -> None:
    limiter.count_failure(RULES, Budget(failures=1, window_seconds=60, quarantine_seconds=30))
    look_for_quarantines(limiter, 0)
    gone = Limiter(connect("redis://127.0.0.1:1"), lease_seconds=6, monotonic=time.monotonic)
    for minute in (1, 7):
        with pytest.raises(LimiterUnavailable):
            look_for_quarantines(gone, minute)
    assert states() == ["begun"]


@pytest.fixture
def keeper() -> GoalKeeper:
    return GoalKeeper(PROMISED)


def test_an_agent_whose_runs_fail_breaks_its_goal_and_keeps_it_again(keeper: GoalKeeper, end: End) -> None:
    begin = datetime.now(UTC) - timedelta(hours=3)

    def look(minutes: float) -> None:
        keeper.look(now=begin + minutes * A_MINUTE, term=TERM)

    look(0)
    end(begin, good=14, bad=5)
    look(2)
    assert told() == [], "19 runs are too few"
    end(begin + 2 * A_MINUTE, good=1)
    look(4)
    [one] = told()
    assert (one["event"], one["agent_id"], one["about"], one["state"]) == ("slo", "triage", "failed", "begun")
    assert (one["value"], one["limit"]) == (0.25, 0.1)

    end(begin + 20 * A_MINUTE, good=14, bad=1)
    for minute in (22, 24, 28, 36):  # 0.0667: below the limit, and above its half
        look(minute)
    assert states() == ["begun"]
    for minute in (38, 44):
        look(minute)
    assert states() == ["begun", "over"]


def test_runs_that_take_longer_than_was_promised_break_that_goal(keeper: GoalKeeper, end: End) -> None:
    now = datetime.now(UTC) - timedelta(hours=1)
    keeper.look(now=now, term=TERM)
    end(now, good=20, took=4)
    keeper.look(now=now + A_MINUTE, term=TERM)
    assert [(one["about"], one["value"]) for one in told()] == [("late", 1.0)]


def test_a_change_that_waits_too_long_is_told_however_often_it_was_put_off(
    keeper: GoalKeeper, make_event: MakeEvent
) -> None:
    now = NOW
    ledger.record([make_event("one")], room={"triage": 0}, now=now)
    keeper.look(now=now + 5 * A_MINUTE, term=TERM)
    assert told() == []
    # Held up by a limit, it is due in the future each time that somebody looks.
    Execution.objects.update(due_at=now + 7 * A_MINUTE)
    keeper.look(now=now + 6 * A_MINUTE, term=TERM)
    [one] = told()
    assert (one["about"], one["value"], one["limit"]) == ("waiting", 360.0, 300.0)


@pytest.mark.parametrize(
    "why", ["disabled", "held", "let go", "a backfill", "runs again", "nothing promised"]
)
def test_what_waits_by_intention_breaks_no_goal(why: str, keeper: GoalKeeper, make_event: MakeEvent) -> None:
    ledger.record([make_event("one")], room={"triage": 0}, now=NOW)
    id_ = Execution.objects.values_list("id", flat=True).get()
    later = NOW + timedelta(hours=1)
    match why:
        case "disabled":
            set_enabled("triage", False, now=NOW)
        case "held" | "let go":
            holds.pause("triage", by="me", why="", now=NOW)
            if why == "let go":
                holds.resume("triage", by="me", now=later - A_MINUTE)
        case "a backfill":
            Execution.objects.update(priority=-1)
        case "runs again":
            Requeue.objects.create(execution_id=id_, at=later, by="me", died_at=NOW, reason="any", attempts=1)
        case _:
            keeper.goals = Goals(waiting_seconds=0, failed_share=0, late_share=0)
    keeper.look(now=later, term=TERM)
    assert told() == []


def test_whoever_leads_next_goes_on_with_what_is_told_already(keeper: GoalKeeper, end: End) -> None:
    now = datetime.now(UTC) - timedelta(hours=1)
    keeper.look(now=now, term=TERM)
    end(now, bad=20)
    keeper.look(now=now + A_MINUTE, term=TERM)
    fence.begin(Term("upkeep", 2))
    following = GoalKeeper(PROMISED)
    following.look(now=now + 2 * A_MINUTE, term=Term("upkeep", 2))
    end(now + 3 * A_MINUTE, bad=20)
    following.look(now=now + 4 * A_MINUTE, term=Term("upkeep", 2))
    assert states() == ["begun"]


def test_what_nobody_wants_to_hear_is_forgotten(
    keeper: GoalKeeper, limiter: Limiter, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle(Level.TROUBLE, 0)
    some = load_settings(
        {"MONGOCLAW_NOTIFICATIONS__URL": "http://somewhere", "MONGOCLAW_NOTIFICATIONS__EVENTS": "gap"}
    )
    monkeypatch.setattr(loading, "_current", lambda: Loaded(some, ()))
    limiter.count_failure(RULES, Budget(failures=1, window_seconds=60, quarantine_seconds=30))
    keeper.look(now=NOW, term=TERM)
    look_for_quarantines(limiter, 1)
    assert not Alarm.objects.exists()
    assert Notification.objects.count() == 1
