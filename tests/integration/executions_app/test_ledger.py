"""Events become rows once, coalesce while they wait, and keep to their agent's window."""

from __future__ import annotations

from agents_app import registry
from agents_app.models import Agent
from agents_app.publish import publish
from agents_app.spec import declared, parse_spec
from executions_app import ledger, transitions
from executions_app.models import Execution
from executions_app.run import Settlement
from executions_app.states import Reason, Status
from tests.integration.executions_app.conftest import NOW, MakeEvent

ROOM = {"triage": 100}


def test_an_event_read_twice_is_one_row_published_at_most_again(make_event: MakeEvent) -> None:
    event = make_event()

    first = ledger.record([event], room=ROOM, now=NOW)
    second = ledger.record([event], room=ROOM, now=NOW)

    assert first == second
    assert Execution.objects.count() == 1


def test_an_event_replayed_after_its_run_ended_is_not_run_again(make_event: MakeEvent) -> None:
    event = make_event()
    ids = ledger.record([event], room=ROOM, now=NOW)
    run = transitions.claim(ids[0], worker="w", now=NOW)
    assert run is not None
    transitions.settle(run, Settlement(status=Status.COMPLETED, reason="written"), now=NOW)

    assert ledger.record([event], room=ROOM, now=NOW) == []
    assert Execution.objects.get().status == Status.COMPLETED


def test_ten_edits_of_a_waiting_document_are_one_row(make_event: MakeEvent) -> None:
    for _ in range(10):
        ledger.record([make_event("one")], room={}, now=NOW)

    assert Execution.objects.count() == 1


def test_ten_edits_in_one_batch_are_one_row_and_take_one_place_in_the_window(make_event: MakeEvent) -> None:
    events = [make_event("one") for _ in range(10)] + [make_event("two")]

    published = ledger.record(events, room={"triage": 2}, now=NOW)

    assert len(published) == 2
    assert Execution.objects.filter(status=Status.QUEUED).count() == 2


def test_an_edit_that_comes_after_the_claim_is_a_row_of_its_own(make_event: MakeEvent) -> None:
    ids = ledger.record([make_event("one")], room=ROOM, now=NOW)
    transitions.claim(ids[0], worker="w", now=NOW)

    ledger.record([make_event("one")], room=ROOM, now=NOW)

    assert Execution.objects.count() == 2


def test_without_coalescing_every_edit_is_a_row(make_event: MakeEvent) -> None:
    ledger.record([make_event("one", coalesce=False) for _ in range(3)], room=ROOM, now=NOW)

    assert Execution.objects.count() == 3


def test_rows_beyond_the_window_wait_for_admission(make_event: MakeEvent) -> None:
    published = ledger.record([make_event(n) for n in range(5)], room={"triage": 2}, now=NOW)

    waiting = Execution.objects.filter(status=Status.PENDING, reason=Reason.ADMISSION)
    assert (len(published), waiting.count()) == (2, 3)


def test_a_thousand_events_with_keys_of_all_kinds_fit_one_call(make_event: MakeEvent) -> None:
    keys = [*range(400), *(f"text-{n}" for n in range(300)), *({"tenant": n} for n in range(300))]

    ledger.record([make_event(key) for key in keys], room={}, now=NOW)

    assert Execution.objects.count() == 1000


def test_a_new_edit_in_one_batch_with_a_replayed_event_is_not_lost(make_event: MakeEvent) -> None:
    replayed, new = make_event("one"), make_event("one")
    [id_] = ledger.record([replayed], room=ROOM, now=NOW)
    run = transitions.claim(id_, worker="w", now=NOW)
    assert run is not None
    transitions.settle(run, Settlement(status=Status.COMPLETED, reason="written"), now=NOW)

    ledger.record([replayed, new], room=ROOM, now=NOW)

    assert Execution.objects.filter(status=Status.QUEUED).count() == 1


def test_a_waiting_row_works_by_the_version_of_the_newest_event(make_event: MakeEvent, agent: Agent) -> None:
    ledger.record([make_event("one")], room={}, now=NOW)
    spec = registry.spec_of(agent.current_version_id or 0)
    reworded = {**declared(spec), "ai": {**declared(spec)["ai"], "prompt": "V2 {{ document.text }}"}}
    version = publish(parse_spec(reworded), by="tests", now=NOW).version

    ledger.record([make_event("one", version_id=version.pk)], room={}, now=NOW)

    assert Execution.objects.get().version_id == version.pk


def test_a_users_edit_that_joins_a_row_caused_by_an_agent_makes_it_the_users(make_event: MakeEvent) -> None:
    ledger.record([make_event("one", cascade=True)], room={}, now=NOW)

    ledger.record([make_event("one", cascade=False)], room={}, now=NOW)

    assert not Execution.objects.get().cascade


def test_an_agents_write_that_follows_a_users_edit_in_one_batch_leaves_it_the_users(
    make_event: MakeEvent,
) -> None:
    ledger.record([make_event("one"), make_event("one", cascade=True)], room={}, now=NOW)

    assert not Execution.objects.get().cascade
