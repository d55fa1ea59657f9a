"""An agent with too much waiting: what comes in then is on record with what became of it, and nothing flaps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from prometheus_client import REGISTRY
from pymongo import MongoClient

from executions_app import dead_letter_transitions, transitions
from executions_app.models import Execution
from executions_app.states import Reason, Status
from tests.integration.watcher.conftest import MakeEvent
from tests.integration.watcher.test_ingest import Intake
from watcher.recording.pressure import PressurePolicy

pytestmark = [pytest.mark.sql, pytest.mark.django_db(transaction=True)]

DROP = PressurePolicy(outcome=Status.SKIPPED, high=20, bypass=5, seconds=1.0)
Take = Callable[..., None]
MakeIntake = Callable[..., tuple[Intake, Take]]


@pytest.fixture
def make_intake(mongo: MongoClient[dict[str, Any]], mongo_db: Any, make_change: MakeEvent) -> MakeIntake:
    """An agent whose window holds ten rows, and what puts changes of documents on record, in batches of five."""

    def make(**options: Any) -> tuple[Intake, Take]:
        intake = Intake(mongo, mongo_db.name, **options)

        def take(*keys: int) -> None:
            for start in range(0, len(keys), 5):
                batch = [
                    make_change(key, token=f"82{key:08X}{intake.clock.seconds}")
                    for key in keys[start : start + 5]
                ]
                intake.clock.advance(2)
                intake.clock.wall += timedelta(seconds=2)
                intake.ingest.ingest(intake.matcher, batch)

        return intake, take

    return make


def counted() -> Counter[str]:
    """What Prometheus is told of rows that are new."""
    name = "mongoclaw_stream_rows_total"
    kinds = ("queued", "pending", "shed")
    return Counter({kind: int(REGISTRY.get_sample_value(name, {"outcome": kind}) or 0) for kind in kinds})


def outcomes() -> Counter[tuple[str, str]]:
    return Counter(Execution.objects.values_list("status", "reason"))


def test_what_comes_in_under_pressure_is_dropped_on_record(make_intake: MakeIntake) -> None:
    intake, take = make_intake(policy=DROP)
    before = counted()

    take(*range(50))

    assert counted() - before == Counter(queued=10, pending=20, shed=20)
    found = outcomes()
    assert found["queued", ""] == 10
    assert found["pending", "admission"] == 20
    assert found["skipped", "backpressure"] == 20
    assert len(intake.outbox.sent) == 10
    assert not Execution.objects.filter(status=Status.SKIPPED, completed_at=None).exists()


def test_it_can_be_dead_letters_which_run_when_somebody_asks(make_intake: MakeIntake) -> None:
    intake, take = make_intake(policy=PressurePolicy(outcome=Status.FAILED, high=20))
    take(*range(35))
    dead = list(Execution.objects.filter(status=Status.FAILED).values_list("id", flat=True))
    assert len(dead) == 5

    moved = dead_letter_transitions.requeue(
        dict.fromkeys(dead, intake.clock.wall), by="olga", now=intake.clock.wall
    )

    assert set(moved) == set(dead)
    assert outcomes()["pending", "requeued"] == 5


def test_a_change_of_a_document_that_waits_joins_it_and_is_not_dropped(make_intake: MakeIntake) -> None:
    _, take = make_intake(policy=DROP)
    take(*range(30))

    take(29, 28, 27)

    assert Execution.objects.count() == 30
    assert outcomes()["pending", "admission"] == 20


def test_by_default_everything_waits(make_intake: MakeIntake) -> None:
    _, take = make_intake(policy=PressurePolicy(high=20))

    take(*range(50))

    assert outcomes()["pending", "admission"] == 40


def test_an_agent_of_high_priority_is_never_under_pressure(make_intake: MakeIntake) -> None:
    _, take = make_intake(policy=DROP, priority=5)

    take(*range(50))

    assert outcomes()["pending", "admission"] == 40


def test_pressure_that_has_begun_ends_only_well_below_the_mark(make_intake: MakeIntake) -> None:
    _, take = make_intake(policy=DROP)
    take(*range(35))
    assert outcomes()["skipped", "backpressure"] == 5

    end_waiting(2)
    take(*range(35, 40))
    assert outcomes()["skipped", "backpressure"] == 10, (
        "18 wait, which is below the mark and above the lower one"
    )

    end_waiting(3)
    take(*range(40, 45))
    assert outcomes()["skipped", "backpressure"] == 10


def end_waiting(count: int) -> None:
    ids = Execution.objects.filter(status=Status.PENDING).values_list("id", flat=True)[:count]
    transitions.abandon(
        Execution.objects.filter(id__in=list(ids)),
        Reason.AGENT_NOT_FOUND,
        now=Execution.objects.latest("created_at").created_at,
    )
