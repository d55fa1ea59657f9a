"""The last hour by minute: exact where few runs ended, counted where many did, and read once."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from executions_app import ledger, transitions
from executions_app.console import minutes
from executions_app.console.minutes import AT_ONCE, FRESH, SHOWN, Memory, Minute
from executions_app.run import Settlement
from executions_app.states import Status
from tests.integration.executions_app.conftest import NOW, MakeEvent

LATER = NOW + timedelta(minutes=3, seconds=50)


def ended(make_event: MakeEvent, key: object, status: Status, *, at: datetime, took: float = 2) -> None:
    [id_] = ledger.record([make_event(key)], room={"triage": 10_000}, now=at - timedelta(seconds=took))
    run = transitions.claim(id_, worker="w", now=at)
    assert run is not None
    transitions.settle(run, Settlement(status=status, reason="r"), now=at)


def minute_of(found: tuple[Minute | None, ...], at: datetime) -> Minute:
    return next(one for one in found if one is not None and one.begin == at)


def filled(make_event: MakeEvent) -> None:
    for number in range(6):
        status = (Status.COMPLETED, Status.COMPLETED, Status.SKIPPED)[number % 3]
        ended(make_event, number, status, at=NOW + timedelta(seconds=number), took=number + 1)
    ended(make_event, "bad", Status.FAILED, at=NOW + timedelta(seconds=59))
    ended(make_event, "next", Status.FAILED, at=NOW + timedelta(minutes=1))


def test_a_minute_holds_what_ended_in_it(make_event: MakeEvent) -> None:
    filled(make_event)

    found = Memory().look(LATER)

    assert len(found) == SHOWN
    assert minute_of(found, NOW) == Minute(NOW, 4, 2, 1, p50=2_000, p95=5_000)
    assert minute_of(found, NOW + timedelta(minutes=1)).failed == 1
    assert minute_of(found, NOW + timedelta(minutes=3)).ended == 0


def test_a_minute_of_more_runs_than_are_read_is_counted(
    make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(make_event)
    monkeypatch.setattr(minutes, "EXACT", 3)

    found = minute_of(Memory().look(LATER), NOW)

    assert (found.ended, found.failed) == (7, 1)
    assert (found.completed, found.skipped) == (4, 2)


def test_what_is_over_is_read_once_and_the_present_minute_once_in_a_while(make_event: MakeEvent) -> None:
    filled(make_event)
    memory = Memory()
    for _ in range(2 * SHOWN // AT_ONCE):
        memory.look(LATER)
    assert None not in memory.look(LATER)
    ended(make_event, "now", Status.COMPLETED, at=LATER)
    ended(make_event, "of long ago", Status.COMPLETED, at=NOW)
    for when, queries, seen in ((LATER + FRESH * 0.9, 0, 0), (LATER + FRESH, 1, 1)):
        with CaptureQueriesContext(connection) as asked:
            found = memory.look(when)
        assert (len(asked), minute_of(found, LATER.replace(second=0)).completed) == (queries, seen)
        assert minute_of(found, NOW).ended == 7


def test_a_minute_stays_open_for_clocks_that_are_slower(make_event: MakeEvent) -> None:
    memory = Memory()
    shortly_after = NOW + timedelta(minutes=1, seconds=20)
    memory.look(shortly_after)
    ended(make_event, "late", Status.COMPLETED, at=NOW + timedelta(seconds=55))
    assert minute_of(memory.look(shortly_after + FRESH), NOW).completed == 1
