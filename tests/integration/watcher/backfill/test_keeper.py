from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import bson
import pytest
from bson import Timestamp
from bson.raw_bson import RawBSONDocument
from pymongo import MongoClient
from pymongo.database import Database
from pymongo.errors import AutoReconnect

from agents_app import publish as publishing
from agents_app import registry
from agents_app.models import Agent
from agents_app.spec import HistoryPolicy
from executions_app import backfill_transitions, backfills, fence, gaps, ledger
from executions_app.backfill_transitions import NewRange
from executions_app.backfills import Wish
from executions_app.fence import Fenced, Term
from executions_app.identity import pack_key
from executions_app.ledger import NewExecution
from executions_app.models import Backfill, Execution, GapKind, StreamGap
from tests.conditions import eventually
from tests.events import new_event
from tests.integration.watcher.backfill.conftest import NOW, TERM, Finish, Publish
from watcher.backfill import crew, job, ranges, recording
from watcher.backfill.keeper import Backfilling
from watcher.backfill.pacing import Pace
from watcher.matching.search import FilterUnusable

Document = dict[str, Any]


def now() -> datetime:
    return datetime.now(UTC)


def ask(agent_id: str, **wanted: Any) -> Backfill:
    return backfills.ask(backfills.wish(agent_id, **wanted), by="tests", now=now())


def recorded_keys() -> list[str]:
    return sorted(Execution.objects.values_list("document_key", flat=True))


def packed(keys: Sequence[object]) -> list[str]:
    return sorted(pack_key(key) for key in keys)


def event(agent_id: str, database: str, key: object, *, priority: int = 0, token: str = "82") -> NewExecution:
    own = {"operation": "update", "event_time": Timestamp(2_000_000_000, 1)}
    version_id = Agent.objects.get(pk=agent_id).current_version_id
    place = {"database": database, "key": key, "priority": priority, "token": token}
    return new_event(1, agent_id=agent_id, version_id=version_id, **own, **place)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small chunks and ranges, so that a few documents are many rounds."""
    monkeypatch.setattr(job, "CHUNK", 10)
    monkeypatch.setattr(job, "LEAST_CHUNK", 10)
    monkeypatch.setattr(ranges, "DOCUMENTS_PER_RANGE", 60)


def test_every_document_is_put_on_record_once_with_a_priority_below_live_events(
    publish_agent: Publish, mongo_db: Database[Document], small: None, finish: Finish
) -> None:
    mongo_db.tickets.insert_many([{"_id": n if n % 2 else f"t{n}"} for n in range(300)])
    publish_agent(execution={"priority": 7})

    done = finish(ask("triage"))

    assert done.status == "completed"
    assert recorded_keys() == packed([n if n % 2 else f"t{n}" for n in range(300)])
    assert set(Execution.objects.values_list("status", "operation", "priority", "backfill")) == {
        ("pending", "backfill", -993, done.id)
    }
    sums = backfills.progress_of([done.id])[done.id]
    assert (sums.read, sums.recorded, sums.current, sums.ranges) == (300, 300, 0, 5)


def test_the_agents_filter_and_the_backfills_own_both_hold(
    publish_agent: Publish, mongo_db: Database[Document], small: None, finish: Finish
) -> None:
    mongo_db.tickets.insert_many([{"_id": n, "open": n % 2 == 0} for n in range(50)])
    publish_agent(watch={"filter": {"open": True}})

    finish(ask("triage", filter_={"_id": {"$gte": 20}}))

    assert recorded_keys() == packed(range(20, 50, 2))


def test_a_document_that_breaks_a_filter_is_put_on_record_and_stops_nobody(
    publish_agent: Publish, mongo_db: Database[Document], small: None, finish: Finish
) -> None:
    mongo_db.tickets.insert_many([{"_id": n, "by": 0 if n == 17 else n % 2 + 1} for n in range(30)])
    publish_agent()

    finish(ask("triage", filter_={"$expr": {"$eq": [{"$divide": [2, "$by"]}, 1]}}))

    assert recorded_keys() == packed([*range(1, 30, 2)])
    assert Execution.objects.filter(document_id="17").exists()


def test_a_filter_that_the_server_refuses_fails_the_backfill_with_its_words(
    publish_agent: Publish, mongo_db: Database[Document], finish: Finish
) -> None:
    mongo_db.tickets.insert_one({"_id": 1})
    publish_agent()

    done = finish(ask("triage", filter_={"$expr": {"$nosuch": 1}}))

    assert done.status == "failed"
    assert "$nosuch" in done.error
    assert not Execution.objects.exists()


@pytest.mark.parametrize("limit", [1, 10, 25])
def test_a_limit_is_kept_exactly(
    publish_agent: Publish, mongo_db: Database[Document], small: None, finish: Finish, limit: int
) -> None:
    mongo_db.tickets.insert_many([{"_id": n, "open": n % 3 == 0} for n in range(200)])
    publish_agent(watch={"filter": {"open": True}})

    done = finish(ask("triage", limit=limit))

    assert done.status == "completed"
    assert recorded_keys() == packed(range(0, 3 * limit, 3))


def test_a_document_that_waits_already_is_not_put_on_record_twice(
    publish_agent: Publish, mongo_db: Database[Document], small: None, finish: Finish
) -> None:
    mongo_db.tickets.insert_many([{"_id": n} for n in range(5)])
    publish_agent()
    ledger.record([event("triage", mongo_db.name, 3)], room={}, now=NOW)

    done = finish(ask("triage"))

    assert recorded_keys() == packed(range(5))
    assert backfills.progress_of([done.id])[done.id].recorded == 4


def begun(
    backfill: Backfill, mongo: MongoClient[Document], database: str
) -> tuple[job.Job, job.Tools, job.Span]:
    """Begin a backfill in one range, and take it up as a thread of a watcher has it."""
    backfill_transitions.start(
        backfill, [NewRange("", "")], namespace=(database, "tickets"), estimate=100, now=now()
    )
    (agent,) = registry.active_agents()
    tools = job.tools_for(mongo, agent, None, now=now)
    return job.Job(backfill, None, Pace(None)), tools, job.spans_of(backfill.id)[0]


def test_another_watcher_goes_on_behind_the_last_chunk_on_record(
    publish_agent: Publish,
    mongo: MongoClient[Document],
    mongo_db: Database[Document],
    small: None,
    finish: Finish,
) -> None:
    mongo_db.tickets.insert_many([{"_id": n} for n in range(100)])
    publish_agent()
    asked = ask("triage")
    work, tools, span = begun(asked, mongo, mongo_db.name)
    for _ in range(3):
        round_ = job.look(work, tools, span)
        span = job.after(span, round_, recording.record(round_, tools.agent, now=now(), term=None))

    done = finish(asked)

    sums = backfills.progress_of([done.id])[done.id]
    assert (sums.read, sums.recorded) == (100, 100), "nothing that was on record was read again"
    assert recorded_keys() == packed(range(100))


def test_a_round_that_another_has_done_already_writes_nothing(
    publish_agent: Publish, mongo: MongoClient[Document], mongo_db: Database[Document], small: None
) -> None:
    mongo_db.tickets.insert_many([{"_id": n} for n in range(30)])
    publish_agent()
    work, tools, span = begun(ask("triage"), mongo, mongo_db.name)
    round_ = job.look(work, tools, span)
    recording.record(round_, tools.agent, now=now(), term=None)
    Execution.objects.all().delete()

    with pytest.raises(recording.NotRunning):
        recording.record(round_, tools.agent, now=now(), term=None)
    assert not Execution.objects.exists(), "rows and cursor are one transaction"


def test_a_leader_of_an_earlier_term_records_nothing_more(
    publish_agent: Publish, mongo_db: Database[Document], small: None, backfilling: Backfilling
) -> None:
    mongo_db.tickets.insert_many([{"_id": n} for n in range(30)])
    publish_agent()
    asked = ask("triage")
    fence.begin(Term("backfill", 2))

    def fenced() -> bool:
        try:
            backfilling.step(TERM)
        except Fenced:
            return True
        return False

    eventually(fenced, seconds=10, every=0.02)
    asked.refresh_from_db()
    assert asked.status == "planned"
    assert not Execution.objects.exists()


def test_a_paused_backfill_stands_still_and_goes_on_where_it_was(
    publish_agent: Publish,
    mongo_db: Database[Document],
    small: None,
    backfilling: Backfilling,
    finish: Finish,
) -> None:
    mongo_db.tickets.insert_many([{"_id": n} for n in range(100)])
    publish_agent()
    asked = ask("triage", rate=40)

    def some() -> bool:
        backfilling.step(TERM)
        return Execution.objects.count() >= 10

    eventually(some, seconds=10, every=0.02)
    backfill_transitions.pause(asked.id, by="tests")
    eventually(lambda: backfilling.step(TERM) and not backfilling._schedule.jobs(), seconds=5)
    backfilling.stop()
    at_rest = Execution.objects.count()
    backfilling.step(TERM)
    assert at_rest == Execution.objects.count() < 100
    Backfill.objects.update(rate=None)
    backfill_transitions.resume(asked.id, by="tests")

    done = finish(asked)

    assert backfills.progress_of([done.id])[done.id].read == 100
    assert recorded_keys() == packed(range(100))


def test_cancelling_ends_the_rows_that_wait_for_nothing_else(
    publish_agent: Publish,
    mongo_db: Database[Document],
    small: None,
    backfilling: Backfilling,
    finish: Finish,
) -> None:
    mongo_db.tickets.insert_many([{"_id": n} for n in range(40)])
    publish_agent()
    asked = ask("triage", rate=10)

    def some() -> bool:
        backfilling.step(TERM)
        return Execution.objects.count() >= 10

    eventually(some, seconds=10, every=0.02)
    ledger.record([event("triage", mongo_db.name, 3)], room={}, now=NOW)
    backfill_transitions.cancel(asked.id, by="tests", now=now())

    def cleared() -> bool:
        backfilling.step(TERM)
        return Backfill.objects.get(id=asked.id).cleared

    eventually(cleared, seconds=10, every=0.02)
    waiting = Execution.objects.filter(status="pending")
    assert [row.document_id for row in waiting] == ["3"], "a change has asked for it since"
    assert set(Execution.objects.exclude(status="pending").values_list("status", "reason")) == {
        ("skipped", "backfill_cancelled")
    }


def test_a_backfill_waits_for_its_agent_to_be_enabled_again(
    publish_agent: Publish,
    mongo_db: Database[Document],
    small: None,
    backfilling: Backfilling,
    finish: Finish,
) -> None:
    mongo_db.tickets.insert_many([{"_id": n} for n in range(30)])
    publish_agent()
    asked = ask("triage")
    publishing.set_enabled("triage", False, now=now())
    for _ in range(3):
        backfilling.step(TERM)
    assert not Execution.objects.exists()

    publishing.set_enabled("triage", True, now=now())

    assert finish(asked).status == "completed"
    assert Execution.objects.count() == 30


def test_a_backfill_of_a_deleted_agent_fails(
    publish_agent: Publish, mongo_db: Database[Document], finish: Finish
) -> None:
    publish_agent()
    asked = ask("triage")
    publishing.archive("triage", now=now())

    done = finish(asked)

    assert (done.status, done.error) == ("failed", "its agent was deleted")


def test_a_backfill_whose_agent_turns_to_another_collection_fails(
    publish_agent: Publish,
    mongo_db: Database[Document],
    small: None,
    backfilling: Backfilling,
    finish: Finish,
) -> None:
    mongo_db.tickets.insert_many([{"_id": n} for n in range(100)])
    publish_agent()
    asked = ask("triage", rate=5)
    eventually(lambda: backfilling.step(TERM) and Execution.objects.exists(), seconds=10, every=0.02)
    publish_agent(watch={"collection": "orders"})

    assert "ask for a backfill of that" in finish(asked).error


def test_a_gap_is_closed_by_the_backfill_that_was_planned_for_it(
    publish_agent: Publish, mongo_db: Database[Document], finish: Finish
) -> None:
    mongo_db.tickets.insert_one({"_id": 1})
    publish_agent()
    gap = _gap(mongo_db.name)
    again = _gap(mongo_db.name, since="0" * 15 + "2")
    assert again.backfill_id == gap.backfill_id, "the one that waits will see both"

    done = finish(Backfill.objects.get(id=gap.backfill_id))

    closed = StreamGap.objects.values_list("status", "closed_by")
    assert set(closed) == {("closed", f"backfill {done.id}")}


def test_a_gap_whose_backfill_is_cancelled_is_seen_again(
    publish_agent: Publish, mongo_db: Database[Document]
) -> None:
    publish_agent()
    gap = _gap(mongo_db.name)

    backfill_transitions.cancel(str(gap.backfill_id), by="tests", now=now())

    gap.refresh_from_db()
    assert gap.status == "open"


def test_backfills_take_turns_so_that_a_slow_one_holds_up_nobody(
    publish_agent: Publish,
    mongo_db: Database[Document],
    small: None,
    backfilling: Backfilling,
    finish: Finish,
) -> None:
    mongo_db.tickets.insert_many([{"_id": n} for n in range(50)])
    publish_agent()
    publish_agent("other")
    slow = ask("triage", rate=0.5)

    assert finish(ask("other")).status == "completed"
    slow.refresh_from_db()
    assert slow.status == "running"


def test_a_round_that_the_server_interrupts_is_done_again(
    publish_agent: Publish,
    mongo: MongoClient[Document],
    mongo_db: Database[Document],
    small: None,
    finish: Finish,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mongo_db.tickets.insert_many([{"_id": n} for n in range(30)])
    publish_agent()
    monkeypatch.setattr(crew, "REST_SECONDS", 0.05)
    original, failures = job.look, iter([True, False, True])

    def sometimes(*arguments: Any) -> Any:
        if next(failures, False):
            raise AutoReconnect("the primary stepped down")
        return original(*arguments)

    monkeypatch.setattr(crew, "look", sometimes)

    assert finish(ask("triage")).status == "completed"
    assert recorded_keys() == packed(range(30))


def _gap(database: str, since: str = "0" * 15 + "1") -> StreamGap:
    return gaps.record(
        gaps.NewGap(
            agent_id="triage",
            database=database,
            collection="tickets",
            kind=GapKind.HISTORY_LOST,
            since=since,
            until="f" * 16,
            policy=HistoryPolicy.BACKFILL,
        ),
        now=NOW,
    )


def test_a_wish_is_checked_field_by_field() -> None:
    assert backfills.wish("a", filter_={"at": {"$date": "2026-01-01T00:00:00Z"}}).filter == {
        "at": datetime(2026, 1, 1, tzinfo=UTC)
    }
    assert backfills.wish("a") == Wish("a")


def test_a_refusal_at_the_moment_of_a_pause_ends_no_watcher(
    publish_agent: Publish,
    mongo_db: Database[Document],
    backfilling: Backfilling,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mongo_db.tickets.insert_one({"_id": 1})
    publish_agent()
    backfill = ask("triage")

    def refused(*_: Any) -> None:
        backfill_transitions.pause(backfill.id, by="tests")
        raise FilterUnusable("unknown operator")

    monkeypatch.setattr(crew, "look", refused)

    def paused() -> bool:
        backfilling.step(TERM)
        backfill.refresh_from_db()
        return backfill.status == "paused"

    eventually(paused, seconds=30, every=0.02)
    crew_at_work = backfilling._crew
    assert crew_at_work is not None
    eventually(lambda: not backfilling._schedule.jobs(), seconds=30, every=0.02)
    assert crew_at_work.failure is None


def test_a_round_that_nothing_mends_ends_its_backfill_and_no_watcher(
    publish_agent: Publish,
    mongo_db: Database[Document],
    finish: Finish,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mongo_db.tickets.insert_one({"_id": 1})
    publish_agent()

    def broken(*_: Any) -> None:
        raise ValueError("the document's secret")

    monkeypatch.setattr(crew, "look", broken)
    failed = finish(ask("triage"))

    assert failed.status == "failed"
    assert failed.error.startswith("ValueError")
    assert "secret" not in failed.error


def test_a_document_that_is_no_utf_8_is_put_on_record_like_the_others(
    publish_agent: Publish, mongo_db: Database[Document], finish: Finish
) -> None:
    publish_agent()
    answered = {"_ai_metadata": {"agents": {"triage": {"input_hash": "earlier"}}}}
    raw = bson.encode({"_id": "a", "text": "hello", **answered}).replace(b"hello", b"he\xfflo")
    mongo_db.tickets.insert_many([RawBSONDocument(raw), {"_id": "b", **answered}])

    assert finish(ask("triage")).status == "completed"
    assert recorded_keys() == packed(["a", "b"])
