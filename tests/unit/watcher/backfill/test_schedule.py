from __future__ import annotations

from typing import Any, cast

from executions_app.models import Backfill
from watcher.backfill.job import Job, Span, Tools
from watcher.backfill.pacing import Pace
from watcher.backfill.ranges import Bounds
from watcher.backfill.schedule import Schedule

TOOLS = cast(Tools, object())


def job(name: str, spans: int = 1, **values: Any) -> Job:
    idle = [Span(number, Bounds(), None, 0, done=False) for number in range(spans)]
    return Job(Backfill(id=name), None, **{"pace": Pace(None), "tools": TOOLS, "idle": idle, **values})


def test_backfills_take_turns() -> None:
    schedule = Schedule()
    schedule.add(job("a", spans=2))
    schedule.add(job("b", spans=2))

    turns = [schedule.take(at) for at in (1.0, 2.0, 3.0, 4.0, 5.0)]

    assert [turn and turn.job.backfill.id for turn in turns] == ["a", "b", "a", "b", None]


def test_a_range_is_worked_on_by_one_at_a_time_and_not_again_when_it_is_done() -> None:
    schedule = Schedule()
    schedule.add(job("a"))
    turn = schedule.take(1.0)
    assert turn is not None
    assert turn.span is not None
    assert schedule.take(2.0) is None
    assert not schedule.is_done(turn.job)

    done = Span(0, Bounds(), None, 10, done=True)
    schedule.give_back(turn, done, recorded=10, monotonic=3.0)

    assert schedule.take(4.0) is None
    assert schedule.is_done(turn.job)


def test_a_backfill_that_has_not_started_is_started_by_one() -> None:
    schedule = Schedule()
    schedule.add(job("a", idle=None))
    turn = schedule.take(1.0)
    assert turn is not None
    assert turn.span is None
    assert schedule.take(2.0) is None

    schedule.begin(turn, [Span(0, Bounds(), None, 0, done=False)])

    again = schedule.take(3.0)
    assert again is not None
    assert again.span is not None


def test_one_that_rests_waits_or_has_spent_its_rate_holds_up_nobody() -> None:
    schedule = Schedule()
    slow = job("slow", pace=Pace(1))
    slow.pace.spend(5, 0.0)
    for one in (slow, job("waits", tools=None), job("rests", resting_until=9.0), job("ready")):
        schedule.add(one)

    turns = [schedule.take(1.0), schedule.take(1.0)]

    assert [turn and turn.job.backfill.id for turn in turns] == ["ready", None]
    later = schedule.take(10.0)
    assert later is not None
    assert later.job.backfill.id in {"slow", "rests"}


def test_a_turn_that_came_to_nothing_is_done_again_after_a_rest() -> None:
    schedule = Schedule()
    schedule.add(job("a"))
    turn = schedule.take(1.0)
    assert turn is not None

    schedule.rest(turn, until=5.0)

    assert schedule.take(4.0) is None
    assert schedule.take(5.0) == turn


def test_a_backfill_without_ranges_left_is_no_longer_handed_out_once_it_is_dropped() -> None:
    schedule = Schedule()
    schedule.add(job("a", spans=3))
    schedule.drop("a")
    assert schedule.take(1.0) is None
