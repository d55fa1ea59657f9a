"""Messages that are no run: each is one row, however often it is read."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connection

from executions_app import dead_letter_work as work
from executions_app import strays
from executions_app.dead_letter_work import Selection
from executions_app.models import StrayMessage
from executions_app.states import Reason, Status
from executions_app.strays import Stray
from tests.integration.executions_app.conftest import NOW
from tests.integration.executions_app.letters import stray

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_message_that_is_read_again_is_the_same_row() -> None:
    assert stray(at=NOW) == stray(at=NOW + timedelta(minutes=5))
    assert stray(b"another") != stray(b"hello", task="another.task")

    row = StrayMessage.objects.get(excerpt="hello", task="billing.charge")
    assert (row.times, row.last_seen_at - row.first_seen_at) == (2, timedelta(minutes=5))


def test_a_discarded_message_that_is_read_again_is_a_dead_letter_again() -> None:
    work.discard(Selection(ids=(stray(),)), by="ann", why="", now=NOW)

    stray()

    assert StrayMessage.objects.get().status == Status.FAILED


def test_whatever_a_message_holds_it_goes_on_record() -> None:
    wild = Stray(
        reason=Reason.MESSAGE_UNDECODABLE,
        body=b"\0\xff" * 100_000,
        error="\ud800",
        task="t" * 10_000,
        message_id="\0",
    )
    strays.record(wild, host="box", now=NOW)

    row = StrayMessage.objects.get()
    assert (row.size, len(row.task), row.message_id) == (200_000, 255, "\ufffd")


def test_a_flood_of_messages_does_not_fill_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strays, "MOST", 3)
    for number in range(20):
        stray(str(number).encode())

    assert StrayMessage.objects.count() == 5
    assert StrayMessage.objects.get(excerpt="").times == 16


@pytest.mark.sql
def test_two_workers_that_read_the_same_messages_at_once_lose_none() -> None:
    bodies = [str(number).encode() for number in range(40)]
    together = threading.Barrier(2)
    failures: list[Exception] = []

    def read() -> None:
        try:
            for body in bodies:
                together.wait(10)
                stray(body)
        except Exception as error:  # noqa: BLE001  # the test tells of it
            failures.append(error)
            together.abort()
        finally:
            connection.close()

    threads = [threading.Thread(target=read) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert failures == []
    assert set(StrayMessage.objects.values_list("times", flat=True)) == {2}
