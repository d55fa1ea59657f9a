"""The fast way into the ledger does what the slow one did: an event at a time, a query for each question."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from bson import Int64, ObjectId, Timestamp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agents_app import registry
from agents_app.models import Agent
from agents_app.publish import publish
from agents_app.spec import declared, parse_spec
from executions_app import ledger
from executions_app.identity import display_key, execution_id, pack_key, pack_time, subject_of
from executions_app.ledger import NewExecution
from executions_app.models import Execution
from executions_app.states import UNSTARTED, Reason, Status
from tests.integration.executions_app.conftest import NOW

KEYS = [ObjectId("6b00d981068e986092ee0cbd"), 7, Int64(2**40), "text", {"tenant": 1}]


def slowly(events: Sequence[NewExecution], room: dict[str, int]) -> list[str]:
    """Say in the ORM's words what `record` promises."""
    kept: list[NewExecution] = []
    for event in events:
        same = [other for other in kept if other.key == event.key]
        kept = [other for other in kept if other.key != event.key]
        by_agents = event.cascade and all(other.cascade for other in same)
        kept.append(replace(event, cascade=by_agents))
    queued = []
    for event in kept:
        admitted = room.get(event.agent_id, 0) > 0
        room[event.agent_id] = room.get(event.agent_id, 0) - 1
        if slow_insert(event, admitted=admitted):
            queued.append(execution_id(event.agent_id, event.token))
    return queued


def slow_insert(event: NewExecution, *, admitted: bool) -> bool:
    """Insert one row, or refresh the one that waits; true if it is to be published."""
    id_ = execution_id(event.agent_id, event.token)
    subject = subject_of(event.agent_id, event.database, event.collection, event.key)
    known = Execution.objects.filter(id=id_).first()
    waiting = Execution.objects.filter(subject=subject, status__in=UNSTARTED, coalesces=True).first()
    if waiting is not None and (known is not None or event.coalesce):
        waiting.version_id = event.version_id
        waiting.cascade = waiting.cascade and event.cascade
        waiting.priority = max(waiting.priority, event.priority)
        waiting.backfill = waiting.backfill if event.backfill == waiting.backfill else ""
        waiting.save()
    if known is not None:
        return admitted and known.status == Status.QUEUED
    if waiting is not None and event.coalesce:
        return False
    Execution.objects.create(
        id=id_,
        agent_id=event.agent_id,
        version_id=event.version_id,
        database=event.database,
        collection=event.collection,
        document_key=pack_key(event.key),
        document_id=display_key(event.key),
        operation=event.operation,
        cascade=event.cascade,
        backfill=event.backfill,
        event_time=pack_time(event.event_time),
        sequence=event.sequence,
        subject=subject,
        coalesces=event.coalesce,
        status=Status.QUEUED if admitted else Status.PENDING,
        reason="" if admitted else Reason.ADMISSION,
        priority=event.priority,
        due_at=NOW,
        created_at=NOW,
        queued_at=NOW if admitted else None,
    )
    return admitted


@st.composite
def batches(draw: st.DrawFn) -> list[tuple[list[dict[str, Any]], int]]:
    """Batches of a few events on a few documents, some read again, with some room in the window."""
    event = st.fixed_dictionaries(
        {
            "number": st.integers(1, 12),
            "key": st.sampled_from(range(len(KEYS))),
            "cascade": st.booleans(),
            "version": st.integers(0, 1),
            "low": st.booleans(),
            "backfill": st.sampled_from("bc"),
        }
    )
    return draw(st.lists(st.tuples(st.lists(event, max_size=6), st.integers(0, 4)), min_size=1, max_size=4))


def events_of(batch: list[dict[str, Any]], agent: Agent, versions: list[int]) -> list[NewExecution]:
    # An event is what its token says: the same number is the same document.
    return [
        NewExecution(
            agent_id=agent.pk,
            version_id=versions[raw["version"]],
            token=f"82{raw['number']:08X}{raw['key']}",
            database="shop",
            collection="tickets",
            key=KEYS[raw["key"]],
            operation="update",
            cascade=raw["cascade"],
            event_time=Timestamp(raw["number"], 1),
            sequence=raw["number"],
            priority=-1000 if raw["low"] else 5,
            coalesce=True,
            backfill=raw["backfill"] * 32 if raw["low"] else "",
        )
        for raw in batch
    ]


def everything() -> list[Any]:
    return list(Execution.objects.order_by("id").values())


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(script=batches())
def test_the_fast_insert_leaves_the_rows_of_the_slow_one(
    agent: Agent, script: list[tuple[list[dict[str, Any]], int]]
) -> None:
    versions = two_versions(agent)
    results = []
    for record in (lambda events, room: list(ledger.record(events, room=room, now=NOW)), slowly):
        Execution.objects.all().delete()
        published = [record(events_of(batch, agent, versions), {agent.pk: room}) for batch, room in script]
        results.append((published, everything()))

    assert results[0] == results[1]


def two_versions(agent: Agent) -> list[int]:
    versions = sorted(agent.versions.values_list("pk", flat=True))
    if len(versions) == 1:
        spec = declared(registry.spec_of(versions[0]))
        other = {**spec, "ai": {**spec["ai"], "prompt": "V2 {{ document.text }}"}}
        versions.append(publish(parse_spec(other), by="tests", now=NOW).version.pk)
    return versions


def test_a_row_begins_as_the_model_says(agent: Agent) -> None:
    [event] = events_of(
        [{"number": 1, "key": 0, "cascade": False, "version": 0, "low": False, "backfill": ""}],
        agent,
        two_versions(agent),
    )
    ledger.record([event], room={}, now=NOW)
    fast = everything()
    Execution.objects.all().delete()

    slow_insert(event, admitted=False)

    assert fast == everything()


@pytest.mark.parametrize("size", [1, 1500])
def test_what_is_new_is_counted_and_what_was_known_is_not(agent: Agent, size: int) -> None:
    raw = [
        {"number": n, "key": 1, "cascade": False, "version": 0, "low": False, "backfill": ""}
        for n in range(1, size + 1)
    ]
    events = [replace(event, key=event.sequence) for event in events_of(raw, agent, two_versions(agent))]

    first = ledger.enter(events, room={agent.pk: 1}, now=NOW)
    again = ledger.enter(events, room={agent.pk: 1}, now=NOW)

    assert (first.queued, first.pending, len(first.to_publish)) == (1, size - 1, 1)
    assert (again.queued, again.pending, again.to_publish) == (0, 0, first.to_publish)


def test_a_row_that_two_backfills_ask_for_belongs_to_neither(agent: Agent) -> None:
    raw = {"number": 1, "key": 1, "cascade": False, "version": 0, "low": True, "backfill": "b"}
    [first] = events_of([raw], agent, two_versions(agent))
    ledger.record([first], room={}, now=NOW)
    ledger.record([replace(first, token="82AA")], room={}, now=NOW)
    assert Execution.objects.get().backfill == "b" * 32

    ledger.record([replace(first, token="82BB", backfill="c" * 32)], room={}, now=NOW)

    assert Execution.objects.get().backfill == ""
