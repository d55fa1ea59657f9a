"""What becomes of a document: answers, failures, repairs, policies and guards."""

from __future__ import annotations

import itertools
import threading
from dataclasses import replace
from datetime import datetime

import pytest
from django.db import OperationalError, connection

from agents_app import registry
from agents_app.publish import archive, set_enabled
from enrichment.providers.egress import Egress
from executions_app import holds, statements, transitions
from executions_app.limits import Lesson, Rules
from executions_app.models import Attempt, Execution
from executions_app.states import Reason, Status
from tasks import compiled
from tasks.enrich import run_execution
from tests.integration.tasks.conftest import SCHEMA, Bench


def test_a_valid_answer_is_written_and_everything_is_on_record(bench: Bench) -> None:
    bench.publish()
    bench.insert()

    row = bench.run()

    assert (row.status, row.reason, row.written, row.model_calls) == (
        Status.COMPLETED,
        Reason.WRITTEN,
        True,
        1,
    )
    assert set(bench.document()["ai"]) == {"category", "score"}
    call = Attempt.objects.get()
    assert (call.outcome, call.prompt) == ("valid", "Sort: The invoice is wrong")
    assert call.answer == bench.document()["ai"]


def test_the_same_input_is_not_asked_about_twice(bench: Bench) -> None:
    bench.publish()
    bench.insert()
    bench.run()

    row = bench.run(operation="update")

    assert (row.status, row.reason) == (Status.SKIPPED, Reason.UNCHANGED_INPUT)
    assert bench.model.calls()["total"] == 1


def test_without_metadata_the_same_input_is_not_asked_about_twice_either(bench: Bench) -> None:
    bench.publish(write={"include_metadata": False})
    bench.insert()
    bench.run()

    row = bench.run(operation="update")

    assert row.reason == Reason.UNCHANGED_INPUT
    assert "_ai_metadata" not in bench.document()


def test_a_document_replaced_by_its_owner_is_enriched_again(bench: Bench) -> None:
    bench.publish()
    bench.insert()
    bench.run()
    bench.db.tickets.replace_one({"_id": 1}, {"text": "The invoice is wrong"})

    row = bench.run(operation="replace")

    assert row.status == Status.COMPLETED
    assert "ai" in bench.document()


def test_deduplicate_false_asks_every_time(bench: Bench) -> None:
    bench.publish(execution={"deduplicate": False})
    bench.insert()
    bench.run()

    assert bench.run(operation="update").status == Status.COMPLETED
    assert bench.model.calls()["total"] == 2


def test_an_invalid_answer_is_repaired_by_asking_with_the_problems(bench: Bench) -> None:
    bench.publish()
    bench.insert()
    bench.model.script("bad_schema", times=1)

    row = bench.run()

    assert (row.status, row.model_calls) == (Status.COMPLETED, 2)
    assert bench.outcomes() == ["answer_invalid", "valid"]
    assert Attempt.objects.order_by("id")[1].prompt.startswith("Sort: The invoice is wrong\n\n")


def test_an_answer_that_stays_invalid_is_never_written(bench: Bench) -> None:
    bench.publish()
    bench.insert()
    bench.model.script("bad_json")

    row = bench.run()

    assert (row.status, row.reason, row.model_calls) == (Status.FAILED, "answer_invalid", 3)
    assert "ai" not in bench.document()
    assert Attempt.objects.filter(reply="").count() == 0, "the answers are kept for people to look at"


def test_a_cut_answer_is_asked_for_again_with_more_room(bench: Bench) -> None:
    bench.publish()
    bench.insert()
    bench.model.script("truncated", times=1)

    row = bench.run()

    assert row.status == Status.COMPLETED
    assert bench.outcomes() == ["answer_truncated", "valid"]


@pytest.mark.parametrize("kind", ["refusal", "401"])
def test_what_cannot_succeed_is_asked_once(bench: Bench, kind: str) -> None:
    bench.publish()
    bench.insert()
    bench.model.script({"401": "unauthorized"}.get(kind, kind))

    row = bench.run()

    assert row.status == Status.FAILED
    assert bench.model.calls()["total"] == 1


def test_a_500_is_tried_again_and_after_max_retries_the_row_is_dead_with_its_traceback(bench: Bench) -> None:
    bench.publish()
    bench.insert()
    bench.model.script("error_500")

    row = bench.run_to_the_end(bench.run())

    assert (row.status, row.attempts) == (Status.FAILED, 2)
    assert bench.model.calls()["total"] == 3
    assert "ProviderError5xx" in row.traceback
    assert row.model_calls == 3


def test_a_stumble_costs_an_attempt_and_nothing_else(bench: Bench) -> None:
    bench.publish()
    bench.insert()
    bench.model.script("reset", times=1)

    row = bench.run_to_the_end(bench.run())

    assert (row.status, row.attempts, row.model_calls) == (Status.COMPLETED, 1, 2)
    assert Attempt.objects.order_by("id")[0].cost_nanousd is None, (
        "nobody knows what a call cost that broke off"
    )


def test_a_rate_limit_waits_as_long_as_was_asked_and_burns_nothing(bench: Bench) -> None:
    bench.publish(execution={"max_retries": 0})
    bench.insert()
    bench.model.script("rate_limit", times=1, retry_after=30)

    row = bench.run()

    assert (row.status, row.reason, row.attempts) == (Status.PENDING, "rate_limited", 0)
    assert row.started_at is not None
    assert (row.due_at - row.started_at).total_seconds() >= 29
    early = bench.run_again(row)
    assert (early.status, early.reason, early.attempts) == (Status.PENDING, "provider_cooldown", 0)
    assert len(bench.model.log()) == 1, "nobody asks before it may"
    assert Attempt.objects.get().cost_nanousd == 0, "no provider charges for what it has turned away"
    bench.lift_pauses()
    assert bench.run_again(row).status == Status.COMPLETED


def test_a_run_that_was_held_for_a_minute_waits_no_longer_for_a_busy_provider(bench: Bench) -> None:
    bench.publish()
    bench.insert()
    holds.pause("triage", by="ann", why="", now=bench.runtime.now())
    row = bench.run()
    for _ in range(3):
        row = bench.run_again(row)
    assert (row.status, row.reason, row.claim, row.deferrals) == (Status.PENDING, Reason.HELD, 4, 0)
    holds.resume("triage", by="ann", now=bench.runtime.now())

    assert bench.run_again(row).status == Status.COMPLETED


def test_a_run_over_its_agents_budget_comes_back_soon_because_dispatch_asks_before_it_is_sent(
    bench: Bench,
) -> None:
    bench.publish(execution={"token_limit": 10})
    bench.insert()
    spent = Rules(agent_id="triage", account="sandbox", model="sandbox-1", tokens_per_hour=10)
    bench.limiter.admit(spent, "spent", tokens=10)

    row = bench.run()

    assert (row.status, row.reason) == (Status.PENDING, Reason.TOKEN_LIMIT)
    assert row.started_at is not None
    assert 2 <= (row.due_at - row.started_at).total_seconds() < 10


def test_the_cost_of_a_run_that_had_stumbled_counts_against_its_agents_budget(bench: Bench) -> None:
    egress = Egress.allowing((), loopback=True)
    bench.runtime = replace(bench.runtime, providers=replace(bench.runtime.providers, egress=egress))
    priced = {"provider": "custom", "model": "gpt-4o", "extra_params": {"base_url": bench.model.url}}
    bench.publish(ai=priced, execution={"cost_limit_usd": 0.000_000_01})
    bench.insert(1)
    bench.insert(2)
    bench.model.script("reset", times=1)
    row = bench.run_to_the_end(bench.run(1))
    assert (row.status, row.model_calls) == (Status.COMPLETED, 2)

    assert bench.run(2).reason == Reason.COST_LIMIT
    assert row.cost_nanousd, "the price of the call that was answered is known"


def test_a_raised_limit_counts_for_what_waits_already(bench: Bench) -> None:
    bench.publish(execution={"token_limit": 1})
    bench.insert(1)
    bench.insert(2)
    assert bench.run(1).status == Status.COMPLETED
    waiting = bench.run(2)
    assert (waiting.status, waiting.reason, waiting.attempts) == (Status.PENDING, "token_limit", 0)

    bench.publish(execution={"token_limit": 1_000_000})

    assert bench.run_again(waiting).status == Status.COMPLETED


def test_a_provider_that_is_away_burns_nothing_however_often(bench: Bench) -> None:
    bench.publish(execution={"max_retries": 0})
    bench.insert()
    there = bench.runtime
    away = replace(there.providers, sandbox_url="http://127.0.0.1:1/v1")
    bench.runtime = replace(there, providers=away)
    row = bench.run()
    for _ in range(5):
        row = bench.run_again(row)
    assert (row.status, row.attempts) == (Status.PENDING, 0)
    assert row.reason in {"provider_unavailable", "circuit_open"}

    compiled.forget()
    bench.lift_pauses()
    bench.runtime = there
    assert bench.run_again(row).status == Status.COMPLETED


def test_an_outage_that_answers_500_to_everybody_kills_nobody(bench: Bench) -> None:
    bench.publish(execution={"max_retries": 1})
    bench.insert(1)
    bench.insert(2)
    bench.model.script("error_500")
    rows = [bench.run(1), bench.run(2)]
    for _ in range(4):
        rows = [bench.run_again(row) for row in rows]
    assert [row.status for row in rows] == [Status.PENDING, Status.PENDING]

    bench.model.reset()
    bench.lift_pauses()
    assert [bench.run_again(row).status for row in rows] == [Status.COMPLETED, Status.COMPLETED]


def test_one_poisonous_document_dies_while_others_succeed(bench: Bench) -> None:
    bench.publish(execution={"max_retries": 1})
    bench.insert(1, text="poison")
    bench.insert(2, text="fine")
    bench.model.script("error_500", contains="poison")

    poison = bench.run(1)
    fine = bench.run(2)
    poison = bench.run_to_the_end(poison)

    assert (poison.status, fine.status) == (Status.FAILED, Status.COMPLETED)


def test_a_hanging_provider_is_left_at_the_runs_deadline(bench: Bench) -> None:
    bench.publish(execution={"timeout_seconds": 0.5, "max_retries": 0})
    bench.insert()
    bench.model.script("hang")

    row = bench.run()

    assert (row.status, row.reason) == (Status.FAILED, "call_cut_short")
    assert row.lifecycle_state == "timed_out"


def test_a_deadline_of_the_agents_own_says_nothing_of_its_provider(bench: Bench) -> None:
    bench.publish(execution={"timeout_seconds": 0.5, "max_retries": 0})
    bench.insert()
    bench.model.script("hang")
    bench.limiter.report(Lesson("failed", "circuit:sandbox/sandbox-1"))
    bench.runtime.gate.look()

    row = bench.run()

    assert "execution.timeout_seconds" in row.error
    assert bench.outcomes() == ["call_cut_short"]
    assert "circuit:sandbox/sandbox-1" in bench.limiter.pauses().found, "it is no sign of health either"
    bench.limiter.lift("circuit:sandbox/sandbox-1")
    bench.insert(2)
    bench.run(2)
    assert bench.limiter.pauses().found == {}


def test_a_provider_that_takes_longer_than_calls_usually_have_fails(bench: Bench) -> None:
    bench.publish(execution={"timeout_seconds": 60, "max_retries": 0})
    bench.insert()
    bench.model.script("hang")
    bench.runtime = replace(bench.runtime, providers=replace(bench.runtime.providers, request_timeout=0.5))

    bench.run()

    assert list(bench.limiter.pauses().found) == ["circuit:sandbox/sandbox-1"]


def test_a_run_that_came_too_late_to_ask_says_nothing_of_its_provider(bench: Bench) -> None:
    bench.publish()
    bench.insert()
    bench.limiter.report(Lesson("failed", "circuit:sandbox/sandbox-1"))
    bench.runtime.gate.look()
    hours = itertools.count(0.0, 3600.0)
    bench.runtime = replace(bench.runtime, monotonic=lambda: next(hours))

    row = bench.run()

    assert (row.error_type, bench.model.calls()["total"]) == ("run_deadline", 0)
    assert "circuit:sandbox/sandbox-1" in bench.limiter.pauses().found


def test_the_deadline_holds_for_all_repairs_together(bench: Bench) -> None:
    bench.publish(execution={"timeout_seconds": 0.6, "max_retries": 0})
    bench.insert()
    bench.model.set_latency(400)
    bench.model.script("bad_json")

    row = bench.run()

    assert row.status == Status.FAILED
    assert bench.model.calls()["total"] == 2


def test_a_field_that_the_prompt_needs_and_the_document_lacks_is_that_documents_failure(bench: Bench) -> None:
    bench.publish()
    bench.db.tickets.insert_one({"_id": 1})

    row = bench.run()

    assert row.status == Status.FAILED
    assert "document.text" in row.error
    assert bench.model.calls()["total"] == 0


def test_a_document_that_is_gone_costs_no_call(bench: Bench) -> None:
    bench.publish()

    assert bench.run().reason == Reason.DOCUMENT_NOT_FOUND
    assert bench.model.calls()["total"] == 0


def test_a_document_that_no_longer_matches_costs_no_call(bench: Bench) -> None:
    bench.publish(watch={"filter": {"status": "open"}})
    bench.insert(status="closed")

    assert bench.run().reason == Reason.FILTER_NOT_MATCHED
    assert bench.model.calls()["total"] == 0


def test_a_disabled_agent_calls_nothing_and_its_rows_wait(bench: Bench) -> None:
    bench.publish()
    bench.insert()
    id_ = bench.event()
    set_enabled("triage", False, now=bench.runtime.now())
    registry.forget()
    run_execution(bench.runtime, id_)

    assert Execution.objects.get().reason == Reason.AGENT_DISABLED
    assert bench.model.calls()["total"] == 0


def test_a_run_that_is_called_off_while_it_waits_shows_what_its_calls_have_used(bench: Bench) -> None:
    bench.publish()
    bench.insert()
    bench.model.script("bad_json", times=2)
    bench.model.script("error_500", times=1)
    row = bench.run()
    assert (row.status, row.reason, row.model_calls) == (Status.PENDING, "provider_error_5xx", 3)
    tokens = sum(call.prompt_tokens + call.completion_tokens for call in Attempt.objects.all())
    assert row.tokens_used == tokens > 0

    set_enabled("triage", False, now=bench.runtime.now())
    registry.forget()
    assert bench.run_again(row).reason == Reason.AGENT_DISABLED
    transitions.cancel(row.id, by="ann", now=bench.runtime.now())

    end = Execution.objects.get(id=row.id)
    assert (end.reason, end.model_calls, end.tokens_used) == (Reason.CANCELLED, 3, tokens)


def test_a_chain_of_agents_ends_at_max_hops(bench: Bench) -> None:
    bench.publish(execution={"max_hops": 2, "deduplicate": False})
    bench.insert()
    ends = [bench.run(), *(bench.run(operation="update", cascade=True) for _ in range(3))]

    assert [row.reason for row in ends] == ["written", "written", "max_hops", "max_hops"]
    assert bench.run(operation="update").reason == "written", "a user's edit starts anew"


def test_shadow_does_everything_but_the_write(bench: Bench) -> None:
    bench.publish(execution={"consistency_mode": "shadow"})
    bench.insert()

    row = bench.run()

    assert (row.status, row.reason, row.model_calls) == (Status.SKIPPED, Reason.SHADOW_MODE, 1)
    assert bench.document() == {"_id": 1, "text": "The invoice is wrong"}


@pytest.mark.parametrize(
    ("policy", "reason", "written"),
    [
        ({"condition": "document.text == 'x'"}, "policy_skip", False),
        ({"condition": "document.text == 'x'", "fallback_action": "enrich"}, "written", True),
        ({"condition": "result.score >= -1e9", "action": "block"}, "policy_block", False),
        ({"action": "enrich", "simulation_mode": True}, "policy_simulation_enrich", False),
    ],
)
def test_the_policy_decides_whether_the_answer_is_written(
    bench: Bench, policy: dict[str, object], reason: str, written: bool
) -> None:
    bench.publish(policy=policy)
    bench.insert()

    row = bench.run()

    assert (row.reason, "ai" in bench.document()) == (reason, written)


def test_a_tag_is_written_with_the_answer(bench: Bench) -> None:
    bench.publish(policy={"action": "tag", "tag_field": "reviewed", "tag_value": "yes"})
    bench.insert()
    bench.run()

    assert bench.document()["ai"]["reviewed"] == "yes"


def test_an_answer_goes_into_another_collection_under_the_same_key(bench: Bench) -> None:
    bench.publish(write={"target_field": None, "target_collection": "answers"})
    bench.insert({"tenant": 1})

    first = bench.run({"tenant": 1})
    second = bench.run({"tenant": 1}, operation="update")

    answer = bench.db.answers.find_one({"_id": {"tenant": 1}}) or {}
    assert set(SCHEMA["properties"]) <= set(answer)
    assert (first.reason, second.reason) == ("written", "unchanged_input")
    assert bench.document({"tenant": 1}) == {"_id": {"tenant": 1}, "text": "The invoice is wrong"}


def test_an_answer_paid_for_before_a_crash_is_written_without_a_second_call(bench: Bench) -> None:
    bench.publish()
    bench.insert()
    row = bench.run()
    bench.db.tickets.replace_one({"_id": 1}, {"text": "The invoice is wrong"})
    Execution.objects.filter(id=row.id).update(status="pending", written=False)

    again = bench.run_again(row)

    assert (again.status, again.claim, bench.model.calls()["total"]) == (Status.COMPLETED, 2, 1)
    assert "ai" in bench.document()


def test_an_answer_that_is_paid_for_is_written_while_the_provider_is_held_up(bench: Bench) -> None:
    bench.publish()
    bench.insert()
    row = bench.run()
    bench.db.tickets.replace_one({"_id": 1}, {"text": "The invoice is wrong"})
    Execution.objects.filter(id=row.id).update(status="pending", written=False)
    bench.limiter.report(Lesson("pause", "cooldown:sandbox", Reason.PROVIDER_QUOTA, 60_000, 60_000, 60_000))
    bench.runtime.gate.look()

    again = bench.run_again(row)

    assert (again.status, bench.model.calls()["total"]) == (Status.COMPLETED, 1)
    assert "ai" in bench.document()


def test_a_claim_whose_answer_was_lost_on_the_way_leaves_no_run_that_nobody_runs(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.publish()
    bench.insert()
    id_ = bench.event()
    claim = statements.claim

    def lost(execution_id: str, *, worker: str, now: datetime) -> None:
        claim(execution_id, worker=worker, now=now)
        raise OperationalError("server closed the connection unexpectedly")

    with monkeypatch.context() as line:
        line.setattr(statements, "claim", lost)
        with pytest.raises(OperationalError):
            run_execution(bench.runtime, id_)

    row = Execution.objects.get(id=id_)
    assert (row.status, row.reason, row.attempts) == (Status.PENDING, Reason.RECLAIMED, 0)
    assert bench.run_again(row).status == Status.COMPLETED


def test_an_archived_agents_rows_are_not_run(bench: Bench) -> None:
    bench.publish()
    bench.insert()
    id_ = bench.event()
    archive("triage", now=bench.runtime.now())
    registry.forget()
    run_execution(bench.runtime, id_)

    assert Execution.objects.get().reason == Reason.AGENT_DISABLED
    assert bench.model.calls()["total"] == 0


def test_an_edit_that_comes_between_a_lost_settlement_and_its_second_run_is_enriched(bench: Bench) -> None:
    bench.publish()
    bench.insert()
    row = bench.run()
    Execution.objects.filter(id=row.id).update(status="pending", written=False)
    bench.db.tickets.update_one({"_id": 1}, {"$set": {"text": "Quite another matter"}})

    again = bench.run_again(row)

    assert (again.status, bench.model.calls()["total"]) == (Status.COMPLETED, 2)
    assert bench.document()["_ai_metadata"]["agents"]["triage"]["input_hash"] == again.input_hash


def test_an_older_row_that_reads_a_newer_state_is_not_taken_for_stale(bench: Bench) -> None:
    bench.publish()
    bench.insert()
    old = bench.event()
    Execution.objects.filter(id=old).update(status="failed")
    bench.run(operation="update")
    bench.db.tickets.update_one({"_id": 1}, {"$set": {"text": "Edited since"}})
    Execution.objects.filter(id=old).update(status="queued")

    run_execution(bench.runtime, old)

    assert Execution.objects.get(id=old).reason == Reason.WRITTEN


def test_a_document_deleted_and_inserted_again_is_read_and_not_taken_for_deleted(bench: Bench) -> None:
    bench.publish(
        watch={"operations": ["insert", "delete"]},
        write={"target_field": None, "target_collection": "answers"},
    )
    bench.insert()

    bench.run(operation="delete")

    assert "The invoice is wrong" in Attempt.objects.get().prompt


def test_a_deleted_document_can_be_answered_to_in_another_collection(bench: Bench) -> None:
    bench.publish(
        watch={"operations": ["insert", "delete"]},
        ai={"prompt": "{{ operation }} of {{ document._id }}"},
        write={"target_field": None, "target_collection": "answers"},
    )

    row = bench.run(7, operation="insert")

    assert (row.reason, Attempt.objects.get().prompt) == ("written", "delete of 7")


def test_text_with_nul_is_asked_about_once_and_recorded_on_every_database(bench: Bench) -> None:
    bench.publish()
    bench.insert(text="a\0b")

    row = bench.run()

    assert (row.status, bench.model.calls()["total"]) == (Status.COMPLETED, 1)


def test_a_success_that_began_before_the_outage_does_not_make_it_bad_luck(bench: Bench) -> None:
    bench.publish(execution={"max_retries": 0, "timeout_seconds": 1.0})
    bench.insert(1, text="slow")
    bench.insert(2, text="quick")
    bench.insert(3, text="another")
    bench.model.script("hang", contains="slow")
    slow = threading.Thread(target=run_and_close, args=(bench, bench.event(1)))
    slow.start()
    assert bench.run(2).status == Status.COMPLETED
    bench.model.script("error_500", contains="another")
    waiting = bench.event(3)
    Execution.objects.filter(id=waiting).update(status="pending", error_type="provider_error")

    slow.join()

    assert Execution.objects.get(document_id="1").reason == Reason.PROVIDER_OUTAGE


def run_and_close(bench: Bench, id_: str) -> None:
    """Run a row in a thread of its own."""
    run_execution(bench.runtime, id_)
    connection.close()
