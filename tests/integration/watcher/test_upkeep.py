"""The leader counts and deletes in turns, and lets live work go first."""

from __future__ import annotations

import itertools
import socket
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
import urllib3
from bson import Timestamp

from agents_app.models import Agent
from agents_app.publish import publish, set_enabled
from agents_app.spec import parse_spec
from executions_app import counting, fence, ledger, strays, transitions
from executions_app.fence import Fenced, Term
from executions_app.limits import Limiter
from executions_app.limits.limiter import connect
from executions_app.models import AgentTotal, Execution, HourTally, Notification, StrayMessage
from executions_app.notifications import sending
from executions_app.notifications.goals import GoalKeeper, Goals
from executions_app.retention import Keeping
from executions_app.run import Settlement
from executions_app.states import Reason, Status
from executions_app.strays import Stray
from mongoclaw_project.config import Loaded, load_settings, loading
from tests.conditions import eventually
from tests.counting import count_all
from tests.events import new_event
from watcher.telling import Courier, Post
from watcher.upkeep import PATIENCE_SECONDS, Upkeep

TERM = Term("upkeep", 1)
WRITTEN = Settlement(status=Status.COMPLETED, reason="written", written=True)
FAILED = Settlement(status=Status.FAILED, reason="provider_auth")
Ended = Callable[..., None]


class Clock:
    """Time that the test moves."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)
        self.seconds = 1_000.0

    def go(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        self.seconds += seconds


@pytest.fixture
def agent(transactional_db: None) -> Agent:
    spec = {
        "id": "support",
        "name": "Support",
        "watch": {"database": "shop", "collection": "tickets"},
        "ai": {"provider": "sandbox", "model": "sandbox-1", "prompt": "Sort: {{ document.text }}"},
        "write": {"target_field": "ai"},
    }
    return publish(parse_spec(spec), by="tests", now=datetime.now(UTC)).agent


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def upkeep(agent: Agent, clock: Clock) -> Upkeep:
    fence.begin(TERM)
    return Upkeep(
        keeping=Keeping(executions=timedelta(days=30)),
        slo_ms=3_000,
        now=lambda: clock.now,
        monotonic=lambda: clock.seconds,
    )


numbers = itertools.count(1)


def record(agent: Agent, key: str, now: datetime, room: int = 9) -> list[str]:
    event = new_event(
        next(numbers),
        agent_id=agent.pk,
        version_id=agent.current_version_id,
        key=key,
        event_time=Timestamp(int(now.timestamp()), 1),
    )
    return list(ledger.record([event], room={agent.pk: room}, now=now))


def end(agent: Agent, key: str, now: datetime, settlement: Settlement = WRITTEN, took: float = 1) -> None:
    (id_,) = record(agent, key, now)
    run = transitions.claim(id_, worker="w", now=now)
    assert run is not None
    transitions.settle(run, settlement, now=now + timedelta(seconds=took))


def steps(upkeep: Upkeep, clock: Clock, number: int = 12, term: Term = TERM) -> None:
    for _ in range(number):
        # On PostgreSQL transactions of other tests hold counting up as well.
        eventually(lambda: not counting.waits_for_others(), every=0.005)
        clock.go(upkeep.step(term))


def test_what_has_ended_is_counted_by_the_hour_and_for_ever(
    agent: Agent, upkeep: Upkeep, clock: Clock
) -> None:
    end(agent, "one", clock.now)
    end(agent, "two", clock.now, FAILED)
    end(agent, "old", clock.now - timedelta(days=3))
    clock.go(60)

    steps(upkeep, clock)

    hours = HourTally.objects.order_by("hour").values_list("completed", "failed")
    assert [sum(column) for column in zip(*hours, strict=True)] == [2, 1]
    total = AgentTotal.objects.get()
    assert (total.agent_id, total.completed, total.failures) == ("support", 2, {"provider_auth": 1})


def test_old_runs_go_once_they_are_counted(agent: Agent, upkeep: Upkeep, clock: Clock) -> None:
    end(agent, "old", clock.now - timedelta(days=31))

    steps(upkeep, clock)

    assert not Execution.objects.exists()
    assert HourTally.objects.get().completed == 1


def test_old_messages_without_a_run_go_too(agent: Agent, upkeep: Upkeep, clock: Clock) -> None:
    upkeep.keeping = Keeping(dead_letters=timedelta(days=30))
    for days in (31, 1):
        found = Stray(reason=Reason.UNKNOWN_TASK, body=str(days).encode())
        strays.record(found, host="box", now=clock.now - timedelta(days=days))

    steps(upkeep, clock)

    assert StrayMessage.objects.get().excerpt == "1"


def test_deleting_waits_for_live_work_and_yet_goes_on(agent: Agent, upkeep: Upkeep, clock: Clock) -> None:
    end(agent, "old", clock.now - timedelta(days=31))
    count_all(now=clock.now)
    record(agent, "waits", clock.now - timedelta(seconds=5), room=0)
    upkeep._swept_at = clock.seconds  # a step of a long sweep has just ended

    upkeep.step(TERM)
    waited = Execution.objects.filter(document_id="old").exists()
    clock.go(PATIENCE_SECONDS)
    upkeep.step(TERM)

    assert waited
    assert not Execution.objects.filter(document_id="old").exists()


def test_deleting_does_not_wait_for_what_nobody_runs(agent: Agent, upkeep: Upkeep, clock: Clock) -> None:
    end(agent, "old", clock.now - timedelta(days=31))
    count_all(now=clock.now)
    record(agent, "waits", clock.now - timedelta(seconds=5), room=0)
    set_enabled(agent.pk, enabled=False, now=clock.now)
    upkeep._swept_at = clock.seconds

    upkeep.step(TERM)

    assert not Execution.objects.filter(document_id="old").exists()


def test_a_leader_of_an_earlier_term_changes_nothing(agent: Agent, upkeep: Upkeep, clock: Clock) -> None:
    end(agent, "old", clock.now - timedelta(days=31))
    fence.begin(Term("upkeep", 2))

    with pytest.raises(Fenced):
        steps(upkeep, clock)

    assert Execution.objects.exists()
    assert not HourTally.objects.exists()


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """A receiver that takes connections and says nothing, as set."""
    server = socket.create_server(("127.0.0.1", 0))
    address = f"http://127.0.0.1:{server.getsockname()[1]}/hook"
    settings = load_settings({"MONGOCLAW_NOTIFICATIONS__URL": address})
    monkeypatch.setattr(loading, "_current", lambda: Loaded(settings, ()))
    # Longer than the steps may take that wait for other tests' transactions.
    monkeypatch.setattr(sending, "TIMEOUT", urllib3.Timeout(connect=60, read=60))
    yield server
    server.close()


def test_a_receiver_that_hangs_holds_up_nothing_but_what_it_is_told(
    agent: Agent, upkeep: Upkeep, clock: Clock, silent: socket.socket, redis_url: str
) -> None:
    post = Post(loading.current().notifications.url, "", now=lambda: clock.now)
    upkeep.courier = Courier(
        post=post,
        limiter=Limiter(connect(redis_url), lease_seconds=6, monotonic=lambda: clock.seconds),
        goals=GoalKeeper(Goals(waiting_seconds=300, failed_share=0.1, late_share=0)),
        monotonic=lambda: clock.seconds,
    )
    for id_ in ("a", "b"):
        Notification.objects.create(
            id=id_, event="gap", agent_id="support", body={}, created_at=clock.now, due_at=clock.now
        )
    end(agent, "one", clock.now - timedelta(minutes=1))

    steps(upkeep, clock)

    assert HourTally.objects.get().completed == 1
    assert post.is_busy, "it still waits for the receiver"
    assert set(Notification.objects.values_list("tries", flat=True)) == {0}

    connection, _ = silent.accept()
    silent.close()
    connection.close()
    eventually(lambda: not post.is_busy)
    assert 0 not in Notification.objects.values_list("tries", flat=True)


def test_a_pause_is_never_so_long_that_the_task_looks_dead(
    agent: Agent, upkeep: Upkeep, clock: Clock
) -> None:
    assert max(upkeep.step(TERM) for _ in range(5)) <= 5
