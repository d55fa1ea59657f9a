"""Whoever led under an earlier term writes nothing any more."""

from __future__ import annotations

import threading

import pytest
from django.db import Error as DatabaseError
from django.db import connection

from executions_app import fence
from executions_app.fence import Fenced, Term
from executions_app.models import WorkerProcess

pytestmark = pytest.mark.django_db(transaction=True)

FIRST, SECOND = Term("stream:shop", 1), Term("stream:shop", 2)


def test_a_later_term_ends_the_earlier_one_and_cannot_be_undone() -> None:
    fence.begin(FIRST)
    fence.begin(FIRST)
    fence.begin(SECOND)

    assert fence.highest("stream:shop") == 2
    with fence.held(SECOND):
        pass
    with pytest.raises(Fenced), fence.held(FIRST):
        pass
    with pytest.raises(Fenced):
        fence.begin(FIRST)


def test_terms_of_other_names_are_another_matter() -> None:
    fence.begin(Term("dispatch", 9))
    fence.begin(FIRST)

    with fence.held(FIRST), fence.held(Term("dispatch", 9)):
        pass
    assert fence.highest("backfill") == 0


def test_a_term_that_nobody_has_begun_writes_nothing() -> None:
    with pytest.raises(Fenced), fence.held(FIRST):
        pass


def test_a_leader_that_falls_silent_in_a_transaction_is_cut_off_and_its_successor_begins() -> None:
    if connection.vendor == "sqlite":
        pytest.skip("SQLite has one lock for all, and whoever holds it stops everybody")
    fence.begin(FIRST)
    inside, awake = threading.Event(), threading.Event()
    ends: list[BaseException] = []

    def fall_silent() -> None:
        try:
            with fence.held(FIRST):
                WorkerProcess.objects.filter(id="nobody").update(beat=1)
                inside.set()
                awake.wait(60)
                WorkerProcess.objects.filter(id="nobody").update(beat=2)
        except DatabaseError as error:
            ends.append(error)
        finally:
            connection.close()

    silent = threading.Thread(target=fall_silent)
    silent.start()
    assert inside.wait(20)
    try:
        fence.begin(SECOND)
    finally:
        awake.set()
        silent.join(20)

    assert len(ends) == 1
    with pytest.raises(Fenced), fence.held(FIRST):
        pass
