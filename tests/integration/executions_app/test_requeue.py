"""A dead letter that runs again: all tries, the current version, and never beside a newer run."""

from __future__ import annotations

import threading

import pytest
from django.db import connection, transaction

from agents_app.models import Agent
from agents_app.publish import archive, publish
from agents_app.registry import spec_of
from agents_app.spec import dump_json, parse_spec
from executions_app import dead_letter_transitions, ledger, transitions
from executions_app.models import Execution
from executions_app.run import Settlement
from executions_app.states import Reason, Status
from tests.conditions import eventually
from tests.integration.executions_app.conftest import NOW, MakeEvent

ROOM = {"triage": 100}
DEAD = Settlement(status=Status.FAILED, reason="write_refused", error="no room")


def dead_letter(make_event: MakeEvent, key: object = "doc") -> str:
    """Put an event on record and let its run fail for good; gives the row's id."""
    [id_] = ledger.record([make_event(key)], room=ROOM, now=NOW)
    run = transitions.claim(id_, worker="w", now=NOW)
    assert run is not None
    transitions.settle(run, DEAD, now=NOW)
    return id_


def test_a_requeued_row_waits_as_if_it_were_new_but_keeps_its_claim_number(make_event: MakeEvent) -> None:
    id_ = dead_letter(make_event)

    assert dead_letter_transitions.requeue({id_: NOW}, by="olga", now=NOW) == [id_]

    row = Execution.objects.get()
    assert (row.status, row.reason, row.attempts, row.completed_at) == (
        Status.PENDING,
        Reason.REQUEUED,
        0,
        None,
    )
    transitions.enqueue([id_], now=NOW)
    again = transitions.claim(id_, worker="w2", now=NOW)
    assert again is not None
    assert again.claim == 2


def test_a_requeued_row_runs_by_the_version_that_was_mended_since(
    make_event: MakeEvent, agent: Agent
) -> None:
    id_ = dead_letter(make_event)
    assert agent.current_version_id is not None
    data = dump_json(spec_of(agent.current_version_id))
    data["ai"]["prompt"] = "Sort with care: {{ document.text }}"
    mended = publish(parse_spec(data), by="tests", now=NOW)

    dead_letter_transitions.requeue({id_: NOW}, by="olga", now=NOW)

    assert Execution.objects.get().version_id == mended.version.pk


def test_of_two_dead_letters_of_one_document_one_runs_again(make_event: MakeEvent) -> None:
    first, second = dead_letter(make_event), dead_letter(make_event)

    assert dead_letter_transitions.requeue({first: NOW, second: NOW}, by="olga", now=NOW) == [first]
    assert Execution.objects.get(id=second).status == Status.FAILED


def test_a_dead_letter_stays_where_a_newer_row_of_its_document_waits(make_event: MakeEvent) -> None:
    id_ = dead_letter(make_event)
    ledger.record([make_event("doc")], room={}, now=NOW)

    assert dead_letter_transitions.requeue({id_: NOW}, by="olga", now=NOW) == []


def test_a_dead_letter_of_a_deleted_agent_stays(make_event: MakeEvent) -> None:
    id_ = dead_letter(make_event)
    archive("triage", now=NOW)

    assert dead_letter_transitions.requeue({id_: NOW}, by="olga", now=NOW) == []


def test_what_has_not_failed_is_not_requeued(make_event: MakeEvent) -> None:
    [id_] = ledger.record([make_event()], room=ROOM, now=NOW)

    assert dead_letter_transitions.requeue({id_: NOW, "unknown": NOW}, by="olga", now=NOW) == []
    assert Execution.objects.get().status == Status.QUEUED


@pytest.mark.sql
@pytest.mark.parametrize("order", [("a", "b"), ("b", "a")])
def test_letters_run_again_beside_events_of_the_same_documents(
    make_event: MakeEvent, order: tuple[str, str]
) -> None:
    """PostgreSQL: two transactions that take the places of two documents in opposite orders wait for each other."""
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has one writer at a time")
    ids = [dead_letter(make_event, key) for key in ("a", "b", "c")]
    first, second = ([make_event(key)] for key in order)
    begun = threading.Event()

    def read_slowly() -> None:
        with transaction.atomic():
            ledger.record(first, room={}, now=NOW)
            begun.set()
            eventually(is_waited_for)
            ledger.record(second, room={}, now=NOW)
        connection.close()

    reading = threading.Thread(target=read_slowly)
    reading.start()
    assert begun.wait(30)
    moved = dead_letter_transitions.requeue(dict.fromkeys(ids, NOW), by="olga", now=NOW)
    reading.join(30)

    assert moved == [ids[2]]
    assert Execution.objects.filter(slot="waiting").count() == 3


def is_waited_for() -> bool:
    """Whether a statement waits for another transaction."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )
        return bool(cursor.fetchone()[0])
