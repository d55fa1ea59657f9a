"""Due rows reach the broker in fair turns, lost messages and dead workers' runs come back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from bson import Timestamp
from django.db import OperationalError
from pytest_django import DjangoAssertNumQueries

from agents_app import registry
from agents_app.publish import archive, publish, set_enabled
from agents_app.spec import parse_spec
from executions_app import fence, holds, ledger, transitions
from executions_app.fence import Term
from executions_app.heartbeat import Heartbeat
from executions_app.identity import pack_time
from executions_app.models import Attempt, Execution, WorkerProcess
from executions_app.routing import Outbound
from executions_app.run import Settlement
from executions_app.states import Reason, Status
from tests.events import new_event
from watcher.assembly import Dispatching
from watcher.sending.dispatch import Dispatch
from watcher.sending.publisher import BrokerUnavailable
from watcher.sending.vitality import Vitality
from watcher.sending.windows import Windows

pytestmark = [pytest.mark.sql, pytest.mark.django_db(transaction=True)]
NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


class Outbox:
    """Takes the place of the broker's connection, which has tests of its own, and can refuse."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.ahead: set[str] = set()
        self.waiting = 0
        self.refuses = False

    def publish(self, rows: list[Outbound], *, ahead: Collection[str] = ()) -> None:
        if self.refuses:
            raise BrokerUnavailable
        self.sent += [row.id for row in rows]
        self.ahead |= {row.id for row in rows if row.agent_id in ahead}

    def is_drained(self) -> bool:
        return not self.waiting

    def queue_of(self, spec: object) -> str:
        return "mongoclaw"


class Clock:
    """Moves when told to."""

    def __init__(self) -> None:
        self.at = NOW
        self.seconds = 1000.0

    def advance(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)
        self.seconds += seconds


def make_dispatch(outbox: Outbox, clock: Clock, *, window: int = 10) -> Dispatch:
    pulse = Heartbeat("d" * 32, role="dispatch", interval=1, now=lambda: clock.at)
    return Dispatch(
        publisher=outbox,  # type: ignore[arg-type]
        windows=Windows(window, 2.0),
        beat=pulse.beat,
        vitality=Vitality(6.0),
        now=lambda: clock.at,
        monotonic=lambda: clock.seconds,
    )


def make_agent(agent_id: str, **execution: Any) -> None:
    spec = {
        "id": agent_id,
        "name": agent_id,
        "watch": {"database": "shop", "collection": "tickets"},
        "ai": {"provider": "sandbox", "model": "m", "prompt": "{{ document.text }}"},
        "write": {"target_field": "ai"},
        "execution": execution,
    }
    publish(parse_spec(spec), by="tests", now=NOW)
    registry.forget()


def backlog(agent_id: str, count: int, *, start: int = 0, **changes: Any) -> None:
    [agent] = [agent for agent in registry.active_agents() if agent.agent_id == agent_id]
    ledger.record(
        [
            new_event(n, agent_id=agent_id, version_id=agent.version_id, **changes)
            for n in range(start, start + count)
        ],
        room={},
        now=NOW,
    )


def test_one_agents_long_backlog_does_not_delay_anothers_one_document() -> None:
    make_agent("noisy")
    make_agent("quiet")
    backlog("noisy", 200)
    backlog("quiet", 1, start=1000)
    outbox = Outbox()

    make_dispatch(outbox, Clock(), window=10).tick()

    agents = Counter(Execution.objects.filter(id__in=outbox.sent).values_list("agent_id", flat=True))
    assert agents == {"noisy": 10, "quiet": 1}
    quiet = Execution.objects.get(agent_id="quiet").id
    assert outbox.sent.index(quiet) <= 1


def test_an_agent_whose_address_is_none_does_not_keep_others_from_being_sent() -> None:
    make_agent("a")
    spec = {
        "id": "typo",
        "name": "Typo",
        "watch": {"database": "shop", "collection": "tickets"},
        "ai": {
            "provider": "external",
            "model": "m",
            "prompt": "{{ document.text }}",
            "extra_params": {"external_url": "http://[models.internal/run"},
        },
        "write": {"target_field": "ai"},
    }
    publish(parse_spec(spec), by="tests", now=NOW)
    registry.forget()
    backlog("a", 1)
    backlog("typo", 1, start=100)
    outbox = Outbox()

    make_dispatch(outbox, Clock()).tick()

    assert len(outbox.sent) == 2, "its own run says what is wrong with it"


def test_the_window_is_topped_up_as_rows_leave_it() -> None:
    make_agent("a")
    backlog("a", 30)
    outbox, clock = Outbox(), Clock()
    dispatch = make_dispatch(outbox, clock, window=10)
    assert [dispatch.tick(), dispatch.tick()] == [10, 0]

    for id_ in outbox.sent[:4]:
        run = transitions.claim(id_, worker="d" * 32, now=NOW)
        assert run is not None
        transitions.settle(run, Settlement(status=Status.SKIPPED, reason="x"), now=NOW)

    assert dispatch.tick() == 4


def test_higher_priority_goes_first() -> None:
    make_agent("a")
    backlog("a", 5)
    backlog("a", 5, start=100, priority=9)
    outbox = Outbox()

    make_dispatch(outbox, Clock(), window=5).tick()

    assert set(Execution.objects.filter(id__in=outbox.sent).values_list("priority", flat=True)) == {9}


def test_a_row_that_is_not_due_yet_stays() -> None:
    make_agent("a")
    backlog("a", 1)
    Execution.objects.update(due_at=NOW + timedelta(seconds=30))
    outbox, clock = Outbox(), Clock()
    dispatch = make_dispatch(outbox, clock)

    assert dispatch.tick() == 0
    clock.advance(31)
    assert dispatch.tick() == 1


def test_without_coalescing_only_a_documents_first_row_is_sent() -> None:
    make_agent("a", coalesce=False)
    backlog("a", 1, coalesce=False)
    backlog("a", 1, coalesce=False, token="82FFFF", event_time=Timestamp(9, 1), sequence=9)
    outbox = Outbox()

    make_dispatch(outbox, Clock()).tick()

    assert Execution.objects.get(id__in=outbox.sent).sequence == 0


def test_rows_of_a_disabled_agent_wait_and_those_of_a_deleted_one_end() -> None:
    make_agent("off")
    make_agent("gone")
    backlog("off", 1)
    backlog("gone", 1, start=5)
    set_enabled("off", False, now=NOW)
    archive("gone", now=NOW)
    outbox = Outbox()

    make_dispatch(outbox, Clock()).tick()

    assert outbox.sent == []
    assert Execution.objects.get(agent_id="off").status == Status.PENDING
    gone = Execution.objects.get(agent_id="gone")
    assert (gone.status, gone.reason) == (Status.SKIPPED, Reason.AGENT_NOT_FOUND)


def test_a_broker_that_refuses_gets_the_rows_again_later() -> None:
    make_agent("a")
    backlog("a", 3)
    outbox, clock = Outbox(), Clock()
    outbox.refuses = True
    dispatch = make_dispatch(outbox, clock)
    assert dispatch.tick() == 0
    assert Execution.objects.filter(status=Status.PENDING, reason=Reason.BROKER_UNAVAILABLE).count() == 3

    outbox.refuses = False
    clock.advance(2)
    assert dispatch.tick() == 3


def test_a_broker_that_was_away_for_long_makes_nobody_slower_to_notice_a_lost_message() -> None:
    make_agent("a")
    backlog("a", 1)
    outbox, clock = Outbox(), Clock()
    outbox.refuses, outbox.waiting = True, 1
    dispatch = make_dispatch(outbox, clock)
    for _ in range(10):
        dispatch.tick()
        clock.advance(2)
    outbox.refuses = False
    assert dispatch.tick() == 1

    clock.advance(121)

    assert dispatch.tick() == 1, "sent again after two minutes, as any other row"


def test_messages_lost_with_an_empty_queue_are_sent_again_in_seconds() -> None:
    make_agent("a")
    backlog("a", 3)
    outbox, clock = Outbox(), Clock()
    dispatch = make_dispatch(outbox, clock)
    dispatch.tick()

    clock.advance(4)
    dispatch.tick()

    assert len(outbox.sent) == 6


def test_messages_that_only_wait_in_a_long_queue_are_not_sent_again() -> None:
    make_agent("a")
    backlog("a", 3)
    outbox, clock = Outbox(), Clock()
    dispatch = make_dispatch(outbox, clock)
    dispatch.tick()

    outbox.waiting = 3
    clock.advance(100)
    dispatch.tick()

    assert len(outbox.sent) == 3


def test_the_runs_of_a_worker_that_stopped_beating_are_taken_back() -> None:
    make_agent("a")
    backlog("a", 1)
    outbox, clock = Outbox(), Clock()
    dispatch = make_dispatch(outbox, clock)
    dispatch.tick()
    pulse = Heartbeat("w" * 32, role="worker", interval=1, now=lambda: clock.at)
    pulse.beat()
    transitions.claim(outbox.sent[0], worker="w" * 32, now=NOW)

    for _ in range(4):
        clock.advance(2)
        pulse.beat()
        dispatch.tick()
    assert Execution.objects.get().status == Status.RUNNING, "it beats, so it lives"

    for _ in range(4):
        clock.advance(2)
        dispatch.tick()
    assert Execution.objects.get().claim == 1
    assert outbox.sent.count(Execution.objects.get().id) == 2


def test_a_jump_of_the_wall_clock_kills_nobody() -> None:
    make_agent("a")
    backlog("a", 1)
    outbox, clock = Outbox(), Clock()
    dispatch = make_dispatch(outbox, clock)
    dispatch.tick()
    Heartbeat("w" * 32, role="worker", interval=1, now=lambda: clock.at).beat()
    transitions.claim(outbox.sent[0], worker="w" * 32, now=NOW)
    dispatch.tick()

    clock.at += timedelta(days=365)
    clock.seconds += 2
    dispatch.tick()

    assert Execution.objects.get().status == Status.RUNNING


def running_row(worker: str, dispatch: Dispatch, outbox: Outbox) -> Heartbeat:
    """Give a worker one run in the air."""
    make_agent("a")
    backlog("a", 1)
    dispatch.tick()
    pulse = Heartbeat(worker, role="worker", interval=1, now=lambda: NOW)
    pulse.beat()
    assert transitions.claim(outbox.sent[0], worker=worker, now=NOW) is not None
    return pulse


def test_a_database_that_was_away_kills_no_living_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    outbox, clock = Outbox(), Clock()
    dispatch = make_dispatch(outbox, clock)
    running_row("w" * 32, dispatch, outbox)
    clock.advance(2)
    dispatch.tick()

    def away() -> None:
        raise OperationalError("the database is away")

    with monkeypatch.context() as outage:
        outage.setattr(dispatch, "beat", away)
        for _ in range(20):
            clock.advance(1)
            with pytest.raises(OperationalError):
                dispatch._reclaim_orphans()
    clock.advance(1)
    dispatch.tick()

    assert Execution.objects.get().status == Status.RUNNING, "nobody could beat, so nobody is dead"


def test_a_worker_that_starts_and_claims_while_dispatch_looks_keeps_its_run() -> None:
    outbox, clock = Outbox(), Clock()
    dispatch = make_dispatch(outbox, clock)
    running_row("w" * 32, dispatch, outbox)
    WorkerProcess.objects.filter(id="w" * 32).delete()

    clock.advance(2)
    dispatch.tick()
    assert Execution.objects.get().status == Status.RUNNING, "its row may be on its way"

    for _ in range(4):
        clock.advance(2)
        dispatch.tick()
    assert outbox.sent.count(Execution.objects.get().id) == 2, "no row for six seconds is death too"


def test_a_worker_that_slept_without_work_wakes_up_and_keeps_what_it_claims() -> None:
    outbox, clock = Outbox(), Clock()
    dispatch = make_dispatch(outbox, clock)
    Heartbeat("w" * 32, role="worker", interval=1, now=lambda: clock.at).beat()
    for _ in range(5):
        clock.advance(2)
        dispatch.tick()
    make_agent("a")
    backlog("a", 1)
    dispatch.tick()
    assert transitions.claim(outbox.sent[0], worker="w" * 32, now=NOW) is not None

    clock.advance(2)
    dispatch.tick()
    Heartbeat("w" * 32, role="worker", interval=1, now=lambda: clock.at).beat()
    clock.advance(5)
    dispatch.tick()

    assert Execution.objects.get().status == Status.RUNNING


def test_a_wall_clock_that_is_set_back_does_not_prolong_the_pause_after_a_refusal() -> None:
    make_agent("a")
    backlog("a", 1)
    outbox, clock = Outbox(), Clock()
    outbox.refuses = True
    dispatch = make_dispatch(outbox, clock)
    dispatch.tick()

    outbox.refuses = False
    clock.at -= timedelta(hours=1)
    clock.seconds += 2
    Execution.objects.update(due_at=clock.at)

    assert dispatch.tick() == 1


def test_a_dead_worker_leaves_no_row_behind_for_longer_than_an_hour() -> None:
    make_agent("a")
    outbox, clock = Outbox(), Clock()
    dispatch = make_dispatch(outbox, clock)
    Heartbeat("w" * 32, role="worker", interval=1, now=lambda: clock.at).beat()

    for _ in range(5):
        clock.advance(800)
        dispatch.tick()

    assert set(WorkerProcess.objects.values_list("role", flat=True)) == {"dispatch"}


def test_a_watcher_that_leads_no_more_is_not_seen_as_a_silent_one() -> None:
    clock = Clock()
    dispatch = make_dispatch(Outbox(), clock)
    dispatch.tick()
    assert WorkerProcess.objects.filter(role="dispatch").count() == 1

    clock.advance(2)
    Dispatching(
        dispatch, Heartbeat("d" * 32, role="dispatch", interval=1, now=lambda: clock.at).withdraw
    ).stop()

    assert not WorkerProcess.objects.exists()
    dispatch.tick()
    assert WorkerProcess.objects.filter(role="dispatch").count() == 1


def test_rows_of_low_priority_take_a_quarter_of_the_window_and_leave_the_rest_to_changes() -> None:
    make_agent("a")
    backlog("a", 20, priority=-1000)
    outbox, clock = Outbox(), Clock()
    dispatch = make_dispatch(outbox, clock, window=8)

    assert [dispatch.tick(), dispatch.tick()] == [2, 0]

    backlog("a", 20, start=100)
    assert [dispatch.tick(), dispatch.tick()] == [6, 0]
    sent = Execution.objects.filter(id__in=outbox.sent)
    assert Counter(sent.values_list("priority", flat=True)) == {-1000: 2, 0: 6}


def test_the_smallest_window_still_lets_low_priority_through() -> None:
    make_agent("a")
    backlog("a", 2, priority=-1000)
    outbox = Outbox()

    assert make_dispatch(outbox, Clock(), window=1).tick() == 1


def test_a_change_of_a_document_that_a_backfill_waits_for_goes_before_the_backfill() -> None:
    make_agent("a")
    backlog("a", 30, priority=-1000, backfill="b" * 32)
    backlog("a", 1, start=29, token="82FFFF")
    outbox = Outbox()

    make_dispatch(outbox, Clock(), window=4).tick()

    first = Execution.objects.get(id=outbox.sent[0])
    assert (first.document_id, first.priority, first.backfill) == ("29", 0, "")


def test_agents_that_have_nothing_to_do_cost_no_query_each(
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    for number in range(30):
        make_agent(f"agent-{number}")
    backlog("agent-7", 1)
    Execution.objects.update(due_at=NOW + timedelta(hours=1))
    dispatch = make_dispatch(Outbox(), Clock())
    dispatch.tick()

    with django_assert_max_num_queries(1):
        assert dispatch.tick() == 0


def test_rows_that_many_agents_have_due_are_found_among_those_that_are_not() -> None:
    for number in range(12):
        make_agent(f"agent-{number}")
        backlog(f"agent-{number}", 2, start=10 * number, priority=number % 3 - 1)
        backlog(f"agent-{number}", 1, start=10 * number + 5, priority=7)
    late = Execution.objects.filter(priority=7)
    late.exclude(agent_id="agent-5").update(due_at=NOW + timedelta(hours=1))
    Execution.objects.filter(agent_id="agent-8").update(due_at=NOW + timedelta(hours=1))
    outbox = Outbox()

    make_dispatch(outbox, Clock(), window=100).tick()

    due = Execution.objects.filter(due_at__lte=NOW).values_list("id", flat=True)
    assert sorted(outbox.sent) == sorted(due)
    assert len(outbox.sent) == 11 * 2 + 1


def test_a_quiet_agents_rows_go_ahead_of_the_backlog_that_fills_the_broker() -> None:
    make_agent("noisy")
    make_agent("quiet")
    backlog("noisy", 200)
    outbox, clock = Outbox(), Clock()
    dispatch = make_dispatch(outbox, clock, window=200)
    dispatch.tick()
    assert (len(outbox.sent), outbox.ahead) == (128, set()), "twice the 64 slots that are assumed"

    backlog("quiet", 5, start=1000)
    dispatch.tick()

    quiet = set(Execution.objects.filter(agent_id="quiet").values_list("id", flat=True))
    assert set(outbox.sent[128:]) == outbox.ahead == quiet


def test_of_an_agent_whose_calls_are_held_up_only_what_has_an_answer_is_sent() -> None:
    make_agent("triage")
    backlog("triage", 30)
    ids = list(Execution.objects.order_by("sequence").values_list("id", flat=True))
    for id_, outcome in ((ids[3], "valid"), (ids[4], "provider_timeout"), (ids[5], "valid")):
        add_call(id_, outcome)
    Execution.objects.filter(id__in=ids[3:5]).update(claim=1)
    Execution.objects.filter(id=ids[7]).update(predecessor=ids[5])
    outbox = Outbox()
    dispatch = make_dispatch(outbox, Clock(), window=100)
    dispatch.windows.limits = lambda asked: {rules.agent_id: 0 for rules in asked}

    dispatch.tick()

    assert outbox.sent == [ids[3], ids[7]]


def add_call(id_: str, outcome: str) -> None:
    Attempt.objects.create(
        execution_id=id_,
        claim=1,
        number=1,
        input_hash="0" * 32,
        started_at=NOW,
        latency_ms=1,
        provider="sandbox",
        model="m",
        prompt="p",
        outcome=outcome,
    )


def test_a_dispatcher_whose_term_is_over_writes_nothing() -> None:
    make_agent("a")
    backlog("a", 3)
    outbox, clock = Outbox(), Clock()
    dispatch = make_dispatch(outbox, clock)
    fence.begin(Term("dispatch", 1))
    assert dispatch.tick(Term("dispatch", 1)) == 3
    running = transitions.claim(outbox.sent[0], worker="w" * 32, now=NOW)
    assert running is not None
    backlog("a", 2, start=10)
    archive("a", now=NOW)
    clock.advance(100)
    before = list(Execution.objects.order_by("id").values())

    fence.begin(Term("dispatch", 2))
    for moves in (
        lambda term: transitions.enqueue(
            list(Execution.objects.values_list("id", flat=True)), now=NOW, term=term
        ),
        lambda term: transitions.withdraw(Execution.objects.all(), Reason.OVERDUE, due_at=NOW, term=term),
        lambda term: transitions.reclaim(["w" * 32], now=NOW, term=term),
        lambda term: transitions.abandon(Execution.objects.all(), Reason.AGENT_NOT_FOUND, now=NOW, term=term),
        dispatch.tick,
    ):
        with pytest.raises(fence.Fenced):
            moves(Term("dispatch", 1))

    assert list(Execution.objects.order_by("id").values()) == before
    assert len(outbox.sent) == 3


def test_without_coalescing_a_change_does_not_wait_for_a_backfill_of_its_document() -> None:
    make_agent("a", coalesce=False)
    backlog("a", 3, coalesce=False, priority=-1000)
    backlog("a", 1, coalesce=False, start=2, token="82FFFE", event_time=Timestamp(50, 1))
    backlog("a", 1, coalesce=False, start=2, token="82FFFF", event_time=Timestamp(51, 1), sequence=51)
    outbox = Outbox()

    make_dispatch(outbox, Clock(), window=2).tick()

    change = Execution.objects.get(id=outbox.sent[0])
    assert (change.document_id, change.event_time) == ("2", pack_time(Timestamp(50, 1)))
    assert transitions.claim(change.id, worker="w" * 32, now=NOW) is not None
    later = Execution.objects.get(event_time=pack_time(Timestamp(51, 1)))
    assert later.id not in outbox.sent, "changes keep their order"


def test_rows_of_a_held_agent_stay_and_go_on_in_turn_when_it_is_let_go() -> None:
    make_agent("held")
    make_agent("other")
    backlog("held", 3)
    backlog("other", 3)
    holds.pause("held", by="tests", why="", now=NOW)
    outbox, clock = Outbox(), Clock()
    dispatch = make_dispatch(outbox, clock)

    assert dispatch.tick() == 3
    assert set(Execution.objects.filter(status=Status.QUEUED).values_list("agent_id", flat=True)) == {"other"}

    holds.resume("held", by="tests", now=NOW)
    assert dispatch.tick() == 3
    assert not Execution.objects.filter(status=Status.PENDING).exists()


def test_while_all_agents_are_held_nothing_is_sent_at_all() -> None:
    make_agent("triage")
    holds.pause(holds.ALL, by="tests", why="", now=NOW)
    outbox, clock = Outbox(), Clock()
    dispatch = make_dispatch(outbox, clock)

    assert dispatch.windows.direct({"triage": registry.active_agents()[0].spec}, NOW) == {}
    backlog("triage", 1)
    assert dispatch.tick() == 0

    holds.resume(holds.ALL, by="tests", now=NOW)
    assert dispatch.tick() == 1
