"""From events to rows: one event that cannot be recorded stops no other, and a broker that is away stops nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import InternalError
from pymongo import MongoClient
from pytest_django import DjangoAssertNumQueries

from agents_app import registry
from agents_app.publish import publish
from agents_app.registry import ActiveAgent
from agents_app.spec import AgentSpec, parse_spec
from executions_app import fence, ledger, transitions
from executions_app.fence import Term
from executions_app.models import Execution
from executions_app.run import Settlement
from executions_app.states import Reason, Status
from tests.integration.watcher.conftest import LONG_AGO, MakeEvent
from watcher.matching.matcher import Matcher
from watcher.recording.ingest import Ingest
from watcher.recording.pressure import Pressure, PressurePolicy
from watcher.sending.publisher import BrokerUnavailable
from watcher.sending.windows import Windows

pytestmark = [pytest.mark.sql, pytest.mark.django_db(transaction=True)]
Document = dict[str, Any]


class Outbox:
    """Takes the place of the broker's connection, which has tests of its own, and can refuse."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.refuses = False
        self.takes: Callable[[], object] = int

    def queue_of(self, spec: object) -> str:
        return "mongoclaw"

    def publish(self, ids: Sequence[str], *, ahead: Collection[str] = ()) -> None:
        self.takes()
        if self.refuses and ids:
            raise BrokerUnavailable
        self.sent += ids


class Clock:
    """A wall clock and a monotonic one, which are moved apart."""

    def __init__(self) -> None:
        self.wall = datetime(2026, 11, 20, tzinfo=UTC)
        self.seconds = 1000.0

    def advance(self, seconds: float) -> None:
        self.seconds += seconds


class Intake:
    """An ingest of one published agent."""

    def __init__(
        self,
        mongo: MongoClient[Document],
        database: str,
        *,
        policy: PressurePolicy | None = None,
        **execution: object,
    ) -> None:
        self.outbox, self.clock, self.windows = Outbox(), Clock(), Windows(10, 2.0)
        self.unhealthy: dict[str, str] = {}
        self.matcher = Matcher(mongo, [_publish(database, execution)], self._note, monotonic=time.monotonic)
        self.ingest = Ingest(
            self.outbox,  # type: ignore[arg-type]
            windows=self.windows,
            pressure=Pressure(policy or PressurePolicy(), lambda: self.clock.seconds),
            unhealthy=self._note,
            now=lambda: self.clock.wall,
            monotonic=lambda: self.clock.seconds,
        )

    def _note(self, agent_id: str, reason: str) -> None:
        self.unhealthy[agent_id] = reason


def _publish(database: str, execution: Document) -> ActiveAgent:
    spec = {
        "id": "triage",
        "name": "Triage",
        "watch": {"database": database, "collection": "tickets"},
        "ai": {"provider": "sandbox", "model": "m", "prompt": "{{ document.text }}"},
        "write": {"target_field": "ai"},
        "execution": execution,
    }
    publish(parse_spec(spec), by="tests", now=LONG_AGO)
    [agent] = registry.active_agents()
    return agent


@pytest.fixture
def intake(mongo: MongoClient[Document], mongo_db: Any) -> Intake:
    """An agent of the test's database and what records its events."""
    return Intake(mongo, mongo_db.name)


def test_an_id_with_a_nul_in_it_is_on_record_like_any_other(intake: Intake, make_change: MakeEvent) -> None:
    events = [make_change("a\0b", token="8201"), make_change("fine", token="8202")]

    intake.ingest.ingest(intake.matcher, events)

    assert Execution.objects.count() == 2
    assert intake.unhealthy == {}


def test_new_changes_do_not_overtake_those_of_their_agent_that_wait_for_room(
    intake: Intake, make_change: MakeEvent
) -> None:
    intake.ingest.ingest(intake.matcher, [make_change(n, token=f"82{n:02X}") for n in range(15)])
    first = Execution.objects.filter(status=Status.QUEUED).order_by("sequence")[0]
    run = transitions.claim(first.id, worker="w" * 32, now=intake.clock.wall)
    assert run is not None
    end = Settlement(status=Status.SKIPPED, reason="x")
    transitions.settle(run, end, now=intake.clock.wall)

    intake.ingest.ingest(intake.matcher, [make_change(99, token="8299")])

    assert Execution.objects.get(document_id="99").status == Status.PENDING
    assert Execution.objects.filter(status=Status.QUEUED).count() == 9, "the place is for one of the five"


def test_a_change_does_not_wait_for_what_a_backfill_of_its_agent_has_due(
    intake: Intake, make_change: MakeEvent
) -> None:
    intake.ingest.ingest(intake.matcher, [make_change(n, token=f"82{n:02X}") for n in range(15)])
    Execution.objects.filter(status=Status.PENDING).update(priority=-1000)
    Execution.objects.filter(status=Status.QUEUED).delete()

    intake.ingest.ingest(intake.matcher, [make_change(99, token="8299")])

    assert Execution.objects.get(document_id="99").status == Status.QUEUED


def test_a_change_of_lower_priority_that_is_due_is_not_overtaken_by_one_that_waits_for_its_time(
    intake: Intake, make_change: MakeEvent
) -> None:
    intake.ingest.ingest(intake.matcher, [make_change(n, token=f"82{n:02X}") for n in range(15)])
    later = intake.clock.wall + timedelta(minutes=1)
    urgent = Execution.objects.filter(status=Status.PENDING).order_by("sequence")[0]
    Execution.objects.filter(id=urgent.id).update(priority=5, due_at=later)
    take_from_the_queue(4)

    intake.ingest.ingest(intake.matcher, [make_change(99, token="8299")])
    assert Execution.objects.get(document_id="99").status == Status.PENDING

    Execution.objects.exclude(id=urgent.id).delete()
    intake.ingest.ingest(intake.matcher, [make_change(100, token="82100")])
    assert Execution.objects.get(document_id="100").status == Status.QUEUED


def test_changes_that_wait_keep_their_room_and_no_change_waits_for_them_where_there_is_more(
    intake: Intake, make_change: MakeEvent
) -> None:
    intake.ingest.ingest(intake.matcher, [make_change(n, token=f"82{n:02X}") for n in range(15)])
    take_from_the_queue(7)

    intake.ingest.ingest(intake.matcher, [make_change(n, token=f"82{n:02X}") for n in range(90, 95)])

    new = Execution.objects.filter(document_id__gte="90", status=Status.QUEUED)
    assert new.count() == 2, "seven places, and five of them are for those that wait"


def take_from_the_queue(rows: int) -> None:
    first = Execution.objects.filter(status=Status.QUEUED).order_by("sequence")[:rows]
    Execution.objects.filter(id__in=[row.id for row in first]).delete()


def test_a_change_costs_one_look_at_the_queue_and_none_where_dispatch_decides(
    mongo: MongoClient[Document], mongo_db: Any, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    intake = Intake(mongo, mongo_db.name)
    specs = {"triage": registry.active_agents()[0].spec}
    intake.windows.direct(specs, intake.clock.wall)
    with django_assert_num_queries(1):
        assert intake.windows.direct(specs, intake.clock.wall) == {"triage": 10}

    paced = replace_execution(specs["triage"], rate_limit_requests=60)
    with django_assert_num_queries(0):
        assert intake.windows.direct({"triage": paced}, intake.clock.wall) == {}


def replace_execution(spec: AgentSpec, **execution: object) -> AgentSpec:
    return spec.model_copy(update={"execution": spec.execution.model_copy(update=execution)})


def test_an_event_that_cannot_be_recorded_is_reported_and_stops_no_other(
    intake: Intake, make_change: MakeEvent, caplog: pytest.LogCaptureFixture
) -> None:
    impossible = make_change("x" * 10, token="8202", collection="tickets", operation="insert")
    object.__setattr__(impossible, "key", "lone surrogate \ud800")
    events = [make_change(1, token="8201"), impossible, make_change(3, token="8203")]

    intake.ingest.ingest(intake.matcher, events)

    assert set(Execution.objects.values_list("document_id", flat=True)) == {"1", "3"}
    assert "could not be put on record: 1;" in intake.unhealthy["triage"]
    assert "event.not_recorded" in caplog.text


def test_a_database_that_is_in_trouble_itself_loses_no_event(
    intake: Intake, make_change: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_only(*_: object, **__: object) -> list[str]:
        raise InternalError("cannot execute INSERT in a read-only transaction")

    with monkeypatch.context() as patched:
        patched.setattr(ledger, "enter", read_only)
        with pytest.raises(InternalError):
            intake.ingest.ingest(intake.matcher, [make_change(1)])
    assert intake.unhealthy == {}

    intake.ingest.ingest(intake.matcher, [make_change(1)])
    assert Execution.objects.count() == 1


def test_a_wall_clock_that_is_set_back_keeps_no_message_from_the_broker(
    intake: Intake, make_change: MakeEvent
) -> None:
    intake.outbox.refuses = True
    intake.ingest.ingest(intake.matcher, [make_change(1, token="8201")])
    assert Execution.objects.get().reason == Reason.BROKER_UNAVAILABLE

    intake.outbox.refuses = False
    intake.clock.wall -= timedelta(hours=1)
    intake.clock.seconds += 2
    intake.ingest.ingest(intake.matcher, [make_change(2, token="8202")])

    assert Execution.objects.get(document_id="2").status == Status.QUEUED
    assert len(intake.outbox.sent) == 1


def test_a_slow_broker_takes_a_fifth_of_the_time_at_most_and_the_rest_is_for_reading(
    intake: Intake, make_change: MakeEvent
) -> None:
    intake.outbox.takes = lambda: intake.clock.advance(2)
    intake.ingest.ingest(intake.matcher, [make_change(1, token="8201")])
    published_until = intake.clock.seconds

    for number in range(2, 6):
        intake.ingest.ingest(intake.matcher, [make_change(number, token=f"820{number}")])
    assert intake.clock.seconds == published_until, "what is read now waits in the ledger"
    assert Execution.objects.filter(status=Status.PENDING, reason=Reason.ADMISSION).count() == 4

    waiting = Execution.objects.filter(status=Status.PENDING).values_list("id", flat=True)
    transitions.enqueue(list(waiting), now=intake.clock.wall)
    intake.clock.advance(8)
    intake.ingest.ingest(intake.matcher, [make_change(6, token="8206")])
    assert len(intake.outbox.sent) == 2


def test_a_broker_that_is_away_costs_the_reading_one_try_and_no_event(
    intake: Intake, make_change: MakeEvent
) -> None:
    intake.outbox.refuses = True
    tries: list[int] = []
    intake.outbox.takes = lambda: tries.append(1)

    for number in range(9):
        intake.ingest.ingest(intake.matcher, [make_change(number, token=f"820{number}")])

    assert len(tries) == 1
    assert Execution.objects.filter(status=Status.PENDING).count() == 9


def test_a_reader_whose_term_is_over_records_nothing(intake: Intake, make_change: MakeEvent) -> None:
    old, new = Term("stream:shop", 1), Term("stream:shop", 2)
    fence.begin(old)
    intake.ingest.ingest(intake.matcher, [make_change(1, token="8201")], term=old)

    fence.begin(new)
    with pytest.raises(fence.Fenced):
        intake.ingest.ingest(intake.matcher, [make_change(2, token="8202")], term=old)

    assert Execution.objects.count() == len(intake.outbox.sent) == 1
    intake.ingest.ingest(intake.matcher, [make_change(2, token="8202")], term=new)
    assert Execution.objects.count() == 2
