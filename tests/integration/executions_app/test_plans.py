"""No question of the ledger reads all of it: each is answered from an index, whatever its length. Plans, not times."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from functools import partial

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from executions_app import (
    counting,
    dead_letter_transitions,
    dead_letters,
    due,
    ledger,
    listing,
    live,
    load,
    pages,
    queries,
    retention,
    transitions,
)
from executions_app.backfill_transitions import clear
from executions_app.console.minutes import MEMORY
from executions_app.console.panel import Asked
from executions_app.console.panels import PANELS
from executions_app.console.shared import forget_all
from executions_app.console.viewer import Viewer
from executions_app.listing import Wanted
from executions_app.metrics import present
from executions_app.metrics.names import Names
from executions_app.models import Backfill, Execution, TallyCursor
from executions_app.notifications import goals
from executions_app.paginator import NearPaginator
from executions_app.retention import START, Keeping
from executions_app.routing import Plan
from executions_app.run import Postponement, Settlement
from executions_app.states import Status
from executions_app.vital_signs import VitalSigns
from tests.counting import count_all
from tests.integration.executions_app.conftest import NOW, MakeEvent
from watcher.sending import dispatch

LEDGER = "executions_app_execution"
OF_A_STATE = {"execution_failed_recent", "execution_pending_recent"}
NEWEST = {"execution_newest", *OF_A_STATE}
"""Indexes that give a list in its order, and that are followed only until the list is full."""

QUESTION = re.compile(r"\s*(SELECT|WITH|UPDATE|DELETE)\b", re.IGNORECASE)
TABLE_SCAN = re.compile(rf"(SCAN {LEDGER}$)|(Seq Scan on {LEDGER})")
# A covering one looks at no row: it is the look for how far back a list goes.
INDEX_WALK = re.compile(rf"SCAN {LEDGER} USING INDEX (\w+)")

Ask = Callable[[], object]


@pytest.fixture(autouse=True)
def _few_rows_are_enough_to_plan(make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Rows in several states, beyond the reach of lists; PostgreSQL scans nothing that it need not scan."""
    monkeypatch.setattr(listing, "REACH", 4)
    ids = ledger.record([make_event(number) for number in range(20)], room={"triage": 15}, now=NOW)
    ends = ((Status.COMPLETED, "written"), (Status.FAILED, "provider_auth"))
    for number, id_ in enumerate(ids[:12]):
        run = transitions.claim(id_, worker="w1", now=NOW)
        assert run is not None
        if number < 11:
            status, reason = ends[number % 2]
            end = Settlement(status=status, reason=reason)
            transitions.settle(run, end, now=NOW + timedelta(seconds=number))
    count_all(now=NOW + timedelta(hours=1))
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f"ANALYZE {LEDGER}")
            cursor.execute("SET enable_seqscan = off")
        yield
        with connection.cursor() as cursor:
            cursor.execute("RESET enable_seqscan")
        return
    yield


def plans(ask: Ask) -> Iterator[str]:
    """Give each line of the plans of all statements that a question takes; what it writes is undone."""
    with CaptureQueriesContext(connection) as captured, suppress(Undone), transaction.atomic():
        ask()
        raise Undone
    how = "EXPLAIN QUERY PLAN" if connection.vendor == "sqlite" else "EXPLAIN"
    with connection.cursor() as cursor:
        for statement in (query["sql"] for query in captured if QUESTION.match(query["sql"])):
            cursor.execute(f"{how} {statement}".replace("%", "%%"), ())
            yield from (str(row[-1]) for row in cursor.fetchall())


class Undone(Exception):
    """The end of a question that wrote something."""


def lists() -> Iterator[tuple[str, Ask]]:
    reasons, statuses = (None, "provider_auth"), (None, *Status)
    for agent_id in (None, "triage"):
        for status in statuses:
            for reason in reasons:
                wanted = Wanted(agent_id=agent_id, status=status, reason=reason)
                yield f"list {' '.join(wanted.columns.values()) or 'all'}", partial(page, wanted)
    yield "list by operation", partial(page, Wanted(operation="delete"))


def page(wanted: Wanted) -> None:
    """As the admin does it, with its count, and as the command does it."""
    rows = listing.narrowed(queries.listed(Execution.objects.all()), wanted).order_by("-created_at", "-id")
    assert NearPaginator(rows, 50).count >= 0
    list(rows[:50])
    if wanted.operation is None:
        queries.newest(agent_id=wanted.agent_id, status=wanted.status, reason=wanted.reason, limit=20)


def lead() -> None:
    """What dispatch asks again and again."""
    heads, busy = due.due_heads(NOW), load.present_load()
    for agent, room in due.rooms(heads, busy, 100).items():
        due.first_rows(agent, heads[agent], room, NOW)
        load.waiting_of(agent, most=100)
    due.low_in_flight(["triage"])
    due.paid_rows("triage", NOW, most=10, reach=10)
    due.load_and_changes_due(["triage", "other"], NOW, most=100)
    dispatch._beats_of_holders()
    live.look(NOW)
    live.put_off(NOW)
    goals.oldest_change("triage", heads["triage"])


def end_unwanted() -> None:
    from agents_app.models import Agent

    Agent.objects.update(archived_at=NOW)
    made = object.__new__(dispatch.Dispatch)
    made.now = lambda: NOW
    made._end_unwanted(None)


def life() -> None:
    """From the broker's window to the end, and a dead letter back."""
    id_ = Execution.objects.filter(status=Status.PENDING).values_list("id", flat=True)[0]
    transitions.enqueue([id_], now=NOW)
    run = transitions.claim(id_, worker="w1", now=NOW)
    assert run is not None
    transitions.postpone(run, Postponement(reason="rate_limited", due_at=NOW), now=NOW)
    transitions.enqueue([id_], now=NOW)
    run = transitions.claim(id_, worker="w1", now=NOW)
    assert run is not None
    transitions.settle(run, Settlement(status=Status.FAILED, reason="x"), now=NOW)
    dead_letter_transitions.requeue({id_: NOW}, by="olga", now=NOW)
    transitions.reclaim(["w9"], now=NOW)


def count_and_sweep() -> None:
    now = NOW + timedelta(days=40)
    TallyCursor.objects.update(counted_time=NOW, counted_id="")
    counting.step(slo_ms=1, now=now)
    retention.step(
        START,
        Keeping(executions=timedelta(days=30), texts=timedelta(days=7), dead_letters=timedelta(days=30)),
        now=now,
    )


def scrape() -> None:
    """What Prometheus asks for."""
    sights = present.Sights(
        now=NOW,
        names=Names(["triage"]),
        plan=Plan(),
        vital_signs=VitalSigns(6),
        consumer_group="",
        per_slot=2.0,
    )
    list(present.of_ledger(sights))
    dead_letters.counts()


def console(name: str, status: str = "completed") -> None:
    MEMORY.forget()
    forget_all()
    for agents in (None, frozenset({"triage"})):
        viewer = Viewer(agents=agents)
        PANELS[name].look(Asked(viewer=viewer, now=NOW, choices={"status": status}))


QUESTIONS: dict[str, Ask] = {
    **dict(lists()),
    "the newest reasons": queries.recent_reasons,
    "a search by id": lambda: list(queries.search(Execution.objects.all(), "ab" * 16)[:5]),
    "a search by the beginning of a document's _id": lambda: list(
        queries.search(queries.listed(Execution.objects.order_by("-created_at")), "12")[:5]
    ),
    "dispatch": lead,
    "a scrape": scrape,
    "what waits for archived agents": end_unwanted,
    "a run's life": life,
    "counting and deleting": count_and_sweep,
    **{
        f"the console's {name}": partial(console, name)
        for name in ("summary", "charts", "agents", "letters", "runs")
    },
    "the console's pending runs": partial(console, "runs", "pending"),
    "clearing a backfill": lambda: clear(Backfill(id="b", agent_id="triage"), now=NOW),
}


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_question_is_answered_from_an_index(name: str) -> None:
    lines = list(plans(QUESTIONS[name]))

    assert any(LEDGER in line for line in lines)
    assert [line for line in lines if TABLE_SCAN.search(line)] == []


@pytest.mark.parametrize("name", [name for name in QUESTIONS if name not in {"list all", "list failed"}])
def test_no_list_is_filled_by_a_walk_through_all_there_ever_was(name: str) -> None:
    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL chooses by its statistics; with few rows its choice says nothing")

    walks = {found[1] for line in plans(QUESTIONS[name]) if (found := INDEX_WALK.search(line))}

    assert walks & NEWEST - OF_A_STATE <= set(BOUNDED_WALKS.get(name, ()))


BOUNDED_WALKS = {
    "the newest reasons": {"execution_newest"},
    "the console's pending runs": {"execution_newest"},
}
"""Those that end after so many rows by themselves."""


@pytest.mark.parametrize(
    "wanted",
    [
        Wanted(),
        Wanted(agent_id="triage"),
        Wanted(status="failed"),
        Wanted(status="pending"),
        Wanted(agent_id="triage", status="failed"),
        Wanted(agent_id="triage", status="pending"),
    ],
    ids=lambda wanted: " ".join(wanted.columns.values()) or "all",
)
def test_a_list_is_counted_without_a_look_at_its_rows(
    wanted: Wanted, monkeypatch: pytest.MonkeyPatch
) -> None:
    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL chooses by its statistics; with few rows its choice says nothing")
    monkeypatch.setattr(listing, "FEW", 1)

    lines = [line for line in plans(lambda: pages.page(wanted, 0, 50)) if LEDGER in line]

    assert [line for line in lines if "COVERING INDEX" in line] != []
    assert "COVERING INDEX" in next(line for line in lines[::-1] if "execution_newest" not in line)


def test_what_waits_is_found_without_the_history_of_its_agent() -> None:
    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL chooses by its statistics; with few rows its choice says nothing")
    for name in (
        "list triage queued",
        "list triage running",
        "what waits for archived agents",
        "dispatch",
        "a scrape",
    ):
        history = [line for line in plans(QUESTIONS[name]) if "execution_agent_newest" in line]
        assert history == [], name
