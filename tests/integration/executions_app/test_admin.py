"""The ledger in the admin, for a viewer, an operator, and somebody without permissions."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from bson import ObjectId
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from executions_app import ledger, transitions
from executions_app.models import Attempt, Execution, WorkerProcess
from executions_app.run import Settlement
from executions_app.states import Reason, Status
from tests.integration.executions_app.conftest import NOW, MakeEvent
from tests.people import signed_in

LIST = reverse("admin:executions_app_execution_changelist")
ROOM = {"triage": 100}

SignIn = Callable[[str], Client]


@pytest.fixture
def sign_in(transactional_db: None) -> SignIn:
    """Sign in as viewer, operator (may run again) or outsider (who sees nothing of this)."""
    granted = {
        "viewer": ["view_execution", "view_workerprocess"],
        "operator": ["view_execution", "requeue_execution"],
        "outsider": ["add_apikey"],
    }

    def sign_in(name: str) -> Client:
        return signed_in(name, *granted[name])

    return sign_in


def recorded(make_event: MakeEvent, key: object = "doc", **changes: object) -> str:
    """Put an event on record; gives the row's id."""
    [id_] = ledger.record([make_event(key, **changes)], room=ROOM, now=NOW)
    return id_


def failed(make_event: MakeEvent, key: object = "doc", **changes: object) -> str:
    """Put an event on record, run it once, and let it fail."""
    id_ = recorded(make_event, key, **changes)
    run = transitions.claim(id_, worker="w", now=NOW)
    assert run is not None
    Attempt.objects.create(
        execution_id=id_,
        claim=1,
        number=1,
        input_hash="h",
        started_at=NOW + timedelta(seconds=1),
        latency_ms=212.0,
        provider="sandbox",
        model="sandbox-1",
        prompt="Sort: <b>hello</b>",
        reply='{"queue": 5}',
        outcome="answer_invalid",
        problem="queue: must be text",
        prompt_tokens=12,
        completion_tokens=7,
        cost_nanousd=412_500,
    )
    end = Settlement(
        status=Status.FAILED,
        reason="answer_invalid",
        model_calls=1,
        tokens_used=19,
        cost_nanousd=412_500,
        error_type="answer_invalid",
        error="queue: must be text",
        traceback="Traceback (most recent call last): …",
    )
    transitions.settle(run, end, now=NOW + timedelta(seconds=2))
    return id_


def trace_url(id_: str) -> str:
    return reverse("admin:executions_app_execution_change", args=[id_])


def test_the_list_says_what_became_of_each_document(sign_in: SignIn, make_event: MakeEvent) -> None:
    failed(make_event, "ticket-77")

    page = sign_in("viewer").get(LIST).content.decode()

    for shown in ("ticket-77", "failed", "answer_invalid", "triage v1", "update", "2,000 ms", "$0.0004125"):
        assert shown in page


def test_the_list_takes_the_same_number_of_queries_however_long_it_is(
    sign_in: SignIn, make_event: MakeEvent
) -> None:
    client = sign_in("viewer")
    recorded(make_event, 0)
    with CaptureQueriesContext(connection) as few:
        client.get(LIST)
    ledger.record([make_event(n) for n in range(1, 40)], room={}, now=NOW)
    with CaptureQueriesContext(connection) as many:
        client.get(LIST)

    assert len(many) == len(few)


def test_the_list_never_counts_the_whole_table(sign_in: SignIn, make_event: MakeEvent) -> None:
    recorded(make_event)
    client = sign_in("viewer")
    with CaptureQueriesContext(connection) as queries:
        client.get(LIST)

    counts = [
        query["sql"] for query in queries if "COUNT(" in query["sql"] and "executions_app" in query["sql"]
    ]
    assert counts
    assert all("LIMIT 5000" in sql for sql in counts)


@pytest.mark.parametrize(
    "query", ["status=failed", "agent=triage", "reason=answer_invalid", "operation=replace"]
)
def test_the_list_is_filtered(sign_in: SignIn, make_event: MakeEvent, query: str) -> None:
    failed(make_event, "the-one", operation="replace")
    recorded(make_event, "another", operation="insert")

    page = sign_in("viewer").get(f"{LIST}?{query}").content.decode()

    assert "the-one" in page
    assert ("another" in page) == (query == "agent=triage")


@pytest.mark.parametrize("operation", ["trigger", "backfill"])
def test_the_list_is_filtered_by_what_is_no_change_of_a_document(
    sign_in: SignIn, make_event: MakeEvent, operation: str
) -> None:
    recorded(make_event, "the-one", operation=operation)
    recorded(make_event, "another", operation="insert")

    page = sign_in("viewer").get(f"{LIST}?operation={operation}").content.decode()

    assert f"?operation={operation}" in page
    assert "the-one" in page
    assert "another" not in page


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("invoice/2026/1", "invoice/2026/1"),
        ("invoice/2026/1", "invoice/20"),
        (ObjectId("65f000000000000000000001"), "65f000000000000000000001"),
        (ObjectId("65f000000000000000000001"), "65f0000"),
        (4711, "4711"),
        ({"tenant": 7}, '{"tenant": 7}'),
    ],
)
def test_an_execution_is_found_by_its_documents_id(
    sign_in: SignIn, make_event: MakeEvent, key: object, text: str
) -> None:
    wanted = recorded(make_event, key)
    other = recorded(make_event, "another")

    page = sign_in("viewer").get(LIST, {"q": text}).content.decode()

    assert trace_url(wanted) in page
    assert trace_url(other) not in page


@pytest.mark.parametrize("shown", [32, 8])
def test_an_execution_is_found_by_its_id_or_what_lists_show_of_it(
    sign_in: SignIn, make_event: MakeEvent, shown: int
) -> None:
    wanted, other = recorded(make_event, "one"), recorded(make_event, "two")

    page = sign_in("viewer").get(LIST, {"q": wanted[:shown]}).content.decode()

    assert trace_url(wanted) in page
    assert trace_url(other) not in page


def test_the_trace_tells_the_whole_story(sign_in: SignIn, make_event: MakeEvent) -> None:
    id_ = failed(make_event)

    page = sign_in("viewer").get(trace_url(id_)).content.decode()

    for shown in (
        "update in shop.tickets, by a user",
        "put on record",
        "sent to the broker",
        "claim 1",
        "prompt of claim 1 to sandbox-1: answer_invalid",
        "Sort: &lt;b&gt;hello&lt;/b&gt;",
        "queue: must be text",
        "212 ms",
        "12 + 7 tokens",
        "$0.0004125",
        "Traceback (most recent call last)",
    ):
        assert shown in page


def test_the_trace_of_a_waiting_run_names_the_run_that_it_waits_for(
    sign_in: SignIn, make_event: MakeEvent
) -> None:
    first = recorded(make_event)
    transitions.claim(first, worker="w", now=NOW)
    second = recorded(make_event)
    transitions.claim(second, worker="w", now=NOW)

    page = sign_in("viewer").get(trace_url(second)).content.decode()

    assert trace_url(first) in page
    assert "Another run of the same agent works on this document" in page


def test_nobody_edits_a_row_not_even_a_superuser(make_event: MakeEvent) -> None:
    id_ = recorded(make_event)
    client = Client()
    client.force_login(User.objects.create_superuser("root"))

    assert client.post(trace_url(id_), {"status": "completed"}).status_code == 403
    assert client.get(reverse("admin:executions_app_execution_add")).status_code == 403
    assert client.post(reverse("admin:executions_app_execution_delete", args=[id_])).status_code == 403
    assert Execution.objects.get().status == Status.QUEUED


def test_somebody_without_permission_sees_nothing(sign_in: SignIn, make_event: MakeEvent) -> None:
    id_ = failed(make_event)
    client = sign_in("outsider")

    assert client.get(LIST).status_code == 403
    assert client.get(trace_url(id_)).status_code == 403
    assert client.post(LIST, {"action": "run_again", "_selected_action": id_}).status_code == 403


def test_a_viewer_is_not_offered_to_run_again_and_cannot(sign_in: SignIn, make_event: MakeEvent) -> None:
    id_ = failed(make_event)
    client = sign_in("viewer")

    assert "Run again" not in client.get(trace_url(id_)).content.decode()
    client.post(LIST, {"action": "run_again", "_selected_action": id_, "confirmed": "yes"})

    assert Execution.objects.get().status == Status.FAILED


def test_an_operator_is_asked_first_and_then_runs_a_dead_letter_again(
    sign_in: SignIn, make_event: MakeEvent
) -> None:
    id_ = failed(make_event)
    client = sign_in("operator")
    assert "Run again" in client.get(trace_url(id_)).content.decode()

    question = client.post(LIST, {"action": "run_again", "_selected_action": id_})
    assert "1 failed execution will run again" in " ".join(question.content.decode().split())
    assert Execution.objects.get().status == Status.FAILED

    done = client.post(
        LIST, {"action": "run_again", "_selected_action": id_, "confirmed": "yes"}, follow=True
    )
    assert "Run again: 1." in done.content.decode()
    row = Execution.objects.get()
    assert (row.status, row.reason, row.attempts, row.claim) == (Status.PENDING, Reason.REQUEUED, 0, 1)


def test_a_dead_letter_stays_where_a_newer_run_of_its_document_waits(
    sign_in: SignIn, make_event: MakeEvent
) -> None:
    id_ = failed(make_event)
    recorded(make_event)
    client = sign_in("operator")

    done = client.post(
        LIST, {"action": "run_again", "_selected_action": id_, "confirmed": "yes"}, follow=True
    )

    assert "Left as they were: 1" in done.content.decode()
    assert Execution.objects.get(id=id_).status == Status.FAILED


def test_processes_are_listed_and_not_edited(sign_in: SignIn) -> None:
    WorkerProcess.objects.create(id="w1", role="worker", host="box", pid=7, started_at=NOW, beat_at=NOW)
    client = sign_in("viewer")

    assert "box" in client.get(reverse("admin:executions_app_workerprocess_changelist")).content.decode()
    detail = reverse("admin:executions_app_workerprocess_change", args=["w1"])
    assert client.get(detail).status_code == 200
    assert client.post(detail, {"role": "dispatch"}).status_code == 403


def test_no_filter_counts_the_ledger_for_each_of_its_choices(sign_in: SignIn, make_event: MakeEvent) -> None:
    client = sign_in("viewer")
    with CaptureQueriesContext(connection) as asked:
        page = client.get(LIST, {"_facets": "True"}).content.decode()
    assert "Show counts" not in page
    assert not [one["sql"] for one in asked if "__c" in one["sql"]]
