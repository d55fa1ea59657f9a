"""The document as it was before or after one change: from the stream over the ledger to the answer, on real servers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
from pymongo import MongoClient

from executions_app import transitions
from executions_app.models import Execution
from executions_app.states import Reason, Status
from tasks.enrich import run_execution
from tests.integration.tasks.conftest import Bench
from tests.integration.tasks.line import Line
from watcher.reading.event import ChangeEvent

Document = dict[str, Any]
DIFF = "{{ operation }}: {{ before.text if before else 'nothing' }} → {{ document.text }}"
BEFORE: Document = {"full_document_before_change": "required"}
AFTER: Document = {"full_document": "required", "operations": ["insert", "update", "replace"]}
DELETES: Document = {"operations": ["delete"], **BEFORE}
ELSEWHERE: Document = {"target_field": "ai", "target_collection": "audit"}


@pytest.fixture
def opened() -> Iterator[list[Line]]:
    """The lines of a test, whose streams are closed after it."""
    lines: list[Line] = []
    yield lines
    for line in lines:
        line.stream.close()


@pytest.fixture
def keep_images(bench: Bench) -> None:
    """The tickets keep images of every change."""
    bench.db.create_collection("tickets", changeStreamPreAndPostImages={"enabled": True})


@pytest.fixture
def open_line(bench: Bench, opened: list[Line]) -> Any:
    """Publishes an agent with another section or two, and opens its line."""

    def open_(**changes: Any) -> Line:
        bench.publish(**{"ai": {"prompt": DIFF}, **changes})
        opened.append(Line(bench))
        return opened[-1]

    return open_


def results(rows: Sequence[Execution]) -> list[tuple[str, str]]:
    return [(row.status, row.reason) for row in rows]


WRITTEN = (Status.COMPLETED, Reason.WRITTEN)


@pytest.mark.usefixtures("keep_images")
def test_an_update_has_the_state_before_it(open_line: Any, bench: Bench) -> None:
    line = open_line(watch=BEFORE)
    bench.insert(text="first")
    line.take(1)
    inserted = line.run()
    bench.db.tickets.update_one({"_id": 1}, {"$set": {"text": "second"}})
    line.take(2)  # the answer to the insert is a change too, and not the agent's business
    updated = line.run()

    assert results(inserted + updated) == [WRITTEN, WRITTEN]
    assert line.prompts() == ["insert: nothing → first", "update: first → second"]


@pytest.mark.usefixtures("keep_images")
def test_a_replace_has_the_state_before_it(open_line: Any, bench: Bench) -> None:
    bench.insert(text="first")
    line = open_line(watch={**BEFORE, "operations": ["replace"]})
    bench.db.tickets.replace_one({"_id": 1}, {"text": "second"})
    line.take(1)
    line.run()

    assert line.prompts() == ["replace: first → second"]


@pytest.mark.parametrize("batches", [[1, 1, 1], [3], [1, 2]], ids=["one by one", "at once", "in between"])
@pytest.mark.usefixtures("keep_images")
def test_edits_that_were_joined_have_the_state_before_the_first_and_the_newest(
    open_line: Any, bench: Bench, batches: list[int]
) -> None:
    bench.insert(text="first")
    line = open_line(watch={**BEFORE, "operations": ["update"]})
    for text in ("second", "third", "fourth"):
        bench.db.tickets.update_one({"_id": 1}, {"$set": {"text": text}})
    events = line.take(3) if batches == [3] else []
    if not events:
        events = split_up(line, batches)
    line.run()

    assert line.prompts() == ["update: first → fourth"]


def split_up(line: Line, batches: list[int]) -> list[ChangeEvent]:
    events: list[ChangeEvent] = []
    for _ in range(100):
        events += line.stream.next_batch().events
        if len(events) >= sum(batches):
            break
    start = 0
    for size in batches:
        line.ingest.ingest(line.matcher, events[start : start + size])
        start += size
    return events


@pytest.mark.usefixtures("keep_images")
def test_edits_that_are_not_joined_have_each_its_own_state_before(open_line: Any, bench: Bench) -> None:
    bench.insert(text="first")
    line = open_line(watch={**BEFORE, "operations": ["update"]}, execution={"coalesce": False})
    for text in ("second", "third"):
        bench.db.tickets.update_one({"_id": 1}, {"$set": {"text": text}})
    line.take(2)
    line.run()

    assert line.prompts() == ["update: first → third", "update: second → third"]


@pytest.mark.usefixtures("keep_images")
def test_a_deleted_document_is_there_as_it_was(open_line: Any, bench: Bench) -> None:
    bench.insert(text="first", tags=["a"])
    line = open_line(watch=DELETES, write=ELSEWHERE)
    bench.db.tickets.delete_one({"_id": 1})
    line.take(1)

    assert results(line.run()) == [WRITTEN]
    assert line.prompts() == ["delete: first → first"]
    assert [set(found["ai"]) for found in bench.db.audit.find({"_id": 1})] == [{"category", "score"}]


@pytest.mark.usefixtures("keep_images")
def test_a_filter_decides_about_deletes_by_what_was_deleted(open_line: Any, bench: Bench) -> None:
    for key, tags in enumerate((["urgent"], ["later"])):
        bench.insert(key, text=f"ticket {key}", tags=tags)
    line = open_line(watch={**DELETES, "filter": {"tags": "urgent"}}, write=ELSEWHERE)
    bench.db.tickets.delete_many({})
    line.take(2)

    assert results(line.run()) == [WRITTEN, (Status.SKIPPED, Reason.FILTER_NOT_MATCHED)]
    assert line.prompts() == ["delete: ticket 0 → ticket 0"]


def test_a_filter_on_an_image_goes_by_the_rules_of_the_collection(open_line: Any, bench: Bench) -> None:
    bench.db.create_collection(
        "tickets",
        changeStreamPreAndPostImages={"enabled": True},
        collation={"locale": "en", "strength": 2},
    )
    bench.insert(text="Über", more="$text")
    line = open_line(watch={**DELETES, "filter": {"text": "ÜBER", "more": "$text"}}, write=ELSEWHERE)
    bench.db.tickets.delete_one({"_id": 1})
    line.take(1)

    assert results(line.run()) == [WRITTEN]


@pytest.mark.usefixtures("keep_images")
def test_a_filter_that_an_image_breaks_is_the_documents_failure(open_line: Any, bench: Bench) -> None:
    bench.insert(text="first", n="no number")
    filter_ = {"$expr": {"$gt": [{"$add": ["$n", 1]}, 0]}}
    line = open_line(watch={**DELETES, "filter": filter_}, write=ELSEWHERE)
    bench.db.tickets.delete_one({"_id": 1})
    line.take(1)

    assert results(line.run()) == [(Status.FAILED, "filter_error")]
    assert line.unhealthy == {}


@pytest.mark.usefixtures("keep_images")
def test_a_deleted_document_that_is_back_is_answered_as_deleted_where_only_deletes_are_watched(
    open_line: Any, bench: Bench
) -> None:
    bench.insert(text="first")
    line = open_line(watch=DELETES, write=ELSEWHERE)
    bench.db.tickets.delete_one({"_id": 1})
    bench.insert(text="second")
    line.take(1)
    line.run()

    assert line.prompts() == ["delete: first → first"]


@pytest.mark.usefixtures("keep_images")
def test_one_run_answers_for_a_delete_and_the_insert_after_it(open_line: Any, bench: Bench) -> None:
    bench.insert(text="first")
    line = open_line(watch={**BEFORE, "operations": ["insert", "delete"]}, write=ELSEWHERE)
    bench.db.tickets.delete_one({"_id": 1})
    bench.insert(text="second")
    split_up(line, [1, 1])

    assert results(line.run()) == [WRITTEN]
    assert line.prompts()[0].endswith("→ second")


@pytest.mark.usefixtures("keep_images")
def test_an_edit_whose_document_was_deleted_meanwhile_is_answered_as_the_delete(
    open_line: Any, bench: Bench
) -> None:
    bench.insert(text="first")
    line = open_line(watch={**BEFORE, "operations": ["update", "delete"]}, write=ELSEWHERE)
    bench.db.tickets.update_one({"_id": 1}, {"$set": {"text": "second"}})
    line.take(1)
    bench.db.tickets.delete_one({"_id": 1})

    assert results(line.run()) == [WRITTEN]
    assert line.prompts() == ["delete: second → second"]


@pytest.mark.usefixtures("keep_images")
def test_each_change_has_the_state_that_it_left(open_line: Any, bench: Bench) -> None:
    line = open_line(watch={**AFTER, **BEFORE}, write=ELSEWHERE)
    bench.insert(text="first")
    bench.db.tickets.update_one({"_id": 1}, {"$set": {"text": "second"}})
    bench.db.tickets.replace_one({"_id": 1}, {"text": "third"})
    bench.db.tickets.update_one({"_id": 1}, {"$set": {"text": "fourth"}})
    bench.db.tickets.delete_one({"_id": 1})
    line.take(4)

    assert results(line.run()) == [WRITTEN] * 4
    assert line.prompts() == [
        "insert: nothing → first",
        "update: first → second",
        "replace: second → third",
        "update: third → fourth",
    ]


@pytest.mark.usefixtures("keep_images")
def test_a_filter_decides_by_the_state_that_a_change_left(open_line: Any, bench: Bench) -> None:
    line = open_line(watch={**AFTER, "filter": {"open": True}}, write=ELSEWHERE)
    bench.insert(text="first", open=True)
    bench.db.tickets.update_one({"_id": 1}, {"$set": {"open": False}})
    line.take(2)

    assert results(line.run()) == [WRITTEN, (Status.SKIPPED, Reason.FILTER_NOT_MATCHED)]


@pytest.mark.usefixtures("keep_images")
def test_changes_of_one_document_in_one_transaction_have_each_its_own_states(
    open_line: Any, bench: Bench, mongo: MongoClient[Document]
) -> None:
    bench.insert(text="0")
    line = open_line(watch={**AFTER, **BEFORE}, write=ELSEWHERE, execution={"max_hops": 100})
    with mongo.start_session() as session, session.start_transaction():
        for number in range(1, 6):
            bench.db.tickets.update_one({"_id": 1}, {"$set": {"text": str(number)}}, session=session)
            bench.db.tickets.insert_many(
                [{"_id": f"{number} {n}", "text": "other"} for n in range(200)], session=session
            )
    line.take(5 * 201)
    Execution.objects.exclude(document_id="1").delete()
    line.outbox.sent = list(Execution.objects.order_by("sequence").values_list("id", flat=True))

    assert results(line.run()) == [WRITTEN] * 5
    assert line.prompts() == [f"update: {n} → {n + 1}" for n in range(5)]


@pytest.mark.parametrize(
    ("watch", "image"),
    [
        ({**BEFORE, "operations": ["update"]}, "pre-image"),
        ({**AFTER, "operations": ["update"]}, "post-image"),
    ],
)
def test_a_required_image_that_is_missing_is_a_dead_letter_with_a_remedy(
    open_line: Any, bench: Bench, watch: Document, image: str
) -> None:
    bench.insert(text="first")
    line = open_line(watch=watch)
    bench.db.tickets.update_one({"_id": 1}, {"$set": {"text": "second"}})
    line.take(1)
    [row] = line.run()

    assert (row.status, row.error_type, row.model_calls) == (Status.FAILED, "image_missing", 0)
    assert f"no {image} of this update" in row.error
    assert f"mongoclaw images enable {bench.db.name}.tickets" in row.error


def test_a_required_image_of_a_delete_that_is_missing_is_a_dead_letter(open_line: Any, bench: Bench) -> None:
    bench.insert(text="first")
    line = open_line(watch=DELETES, write=ELSEWHERE)
    bench.db.tickets.delete_one({"_id": 1})
    line.take(1)
    [row] = line.run()

    assert (row.status, row.error_type) == (Status.FAILED, "image_missing")


def test_images_that_are_merely_welcome_are_done_without(open_line: Any, bench: Bench) -> None:
    bench.insert(text="first")
    welcome = {"full_document": "whenAvailable", "full_document_before_change": "whenAvailable"}
    line = open_line(watch={**welcome, "operations": ["update"]})
    bench.db.tickets.update_one({"_id": 1}, {"$set": {"text": "second"}})
    bench.db.tickets.update_one({"_id": 1}, {"$set": {"text": "third"}})
    line.take(2)
    first, second = line.run()

    assert results([first]) == [WRITTEN]
    assert second.reason == Reason.UNCHANGED_INPUT
    assert line.prompts() == ["update: nothing → third"]


def test_a_delete_whose_image_is_merely_welcome_has_its_id(open_line: Any, bench: Bench) -> None:
    bench.insert(text="first")
    watch = {"operations": ["delete"], "full_document_before_change": "whenAvailable"}
    line = open_line(watch=watch, write=ELSEWHERE, ai={"prompt": "gone: {{ document._id }} {{ before }}"})
    bench.db.tickets.delete_one({"_id": 1})
    line.take(1)

    assert results(line.run()) == [WRITTEN]
    assert line.prompts() == ["gone: 1 None"]


@pytest.mark.usefixtures("keep_images")
def test_an_image_survives_the_end_of_its_collection_name(open_line: Any, bench: Bench) -> None:
    bench.insert(text="first")
    line = open_line(watch=DELETES, write=ELSEWHERE)
    bench.db.tickets.delete_one({"_id": 1})
    line.take(1)
    bench.db.tickets.rename("archive")

    assert results(line.run()) == [WRITTEN]


@pytest.mark.usefixtures("keep_images")
def test_no_cursor_is_left_behind(open_line: Any, bench: Bench, mongo: MongoClient[Document]) -> None:
    bench.insert(text="first")
    line = open_line(watch={**AFTER, **BEFORE}, write=ELSEWHERE)
    bench.db.tickets.update_one({"_id": 1}, {"$set": {"text": "second"}})
    line.take(1)
    line.run()
    cursors = mongo.admin.aggregate(
        [{"$currentOp": {"idleCursors": True}}, {"$match": {"type": "idleCursor"}}]
    )
    mine = [cursor for cursor in cursors if cursor["ns"].startswith(bench.db.name)]

    assert len(mine) == 1, "the line's own"


def test_documents_that_go_while_their_changes_wait_are_no_failures(open_line: Any, bench: Bench) -> None:
    line = open_line(ai={"prompt": "{{ document.text }}"})
    keys = list(range(30))
    bench.db.tickets.insert_many([{"_id": key, "text": f"ticket {key}"} for key in keys])
    line.take(len(keys))
    gone = [key for key in keys if key % 3 == 0]
    bench.db.tickets.delete_many({"_id": {"$in": gone}})
    rows = line.run()

    ends = {row.document_id: (row.status, row.reason) for row in rows}
    not_found = (Status.SKIPPED, Reason.DOCUMENT_NOT_FOUND)
    assert ends == {str(key): not_found if key in gone else WRITTEN for key in keys}


@pytest.mark.usefixtures("keep_images")
def test_a_run_that_is_tried_again_reads_the_same_image(open_line: Any, bench: Bench) -> None:
    bench.insert(text="first")
    line = open_line(watch={**BEFORE, "operations": ["update"]})
    bench.db.tickets.update_one({"_id": 1}, {"$set": {"text": "second"}})
    line.take(1)
    bench.model.script("error_500", times=1)
    [row] = line.run()
    assert row.status == Status.PENDING
    transitions.enqueue([row.id], now=bench.runtime.now())
    run_execution(bench.runtime, row.id)

    assert Execution.objects.get(id=row.id).status == Status.COMPLETED
    assert line.prompts()[-1] == "update: first → second"


@pytest.mark.usefixtures("keep_images")
def test_documents_that_are_gone_without_a_delete_do_not_look_like_a_server_that_is_away(
    open_line: Any, bench: Bench
) -> None:
    line = open_line(
        watch={"operations": ["insert", "delete"], "full_document_before_change": "whenAvailable"},
        write=ELSEWHERE,
        ai={"prompt": "Gone: {{ document._id }}"},
    )
    bench.insert(text="first")
    line.take(1)
    bench.db.tickets.drop()
    [row] = line.run()

    assert (row.status, row.error_type) == (Status.COMPLETED, "")


@pytest.mark.usefixtures("keep_images")
def test_a_document_that_went_with_its_collection_is_not_taken_for_its_successor(
    open_line: Any, bench: Bench
) -> None:
    line = open_line(
        watch={"operations": ["insert", "delete"], "full_document_before_change": "whenAvailable"},
        write=ELSEWHERE,
        ai={"prompt": "Gone: {{ before.text if before else 'unknown' }}"},
    )
    bench.insert(text="first")
    line.take(1)
    bench.db.tickets.drop()
    bench.db.create_collection("tickets", changeStreamPreAndPostImages={"enabled": True})
    bench.insert(text="another")
    bench.db.tickets.delete_one({"_id": 1})

    assert results(line.run()) == [WRITTEN]
    assert line.prompts() == ["Gone: unknown"]


@pytest.mark.usefixtures("keep_images")
def test_a_change_that_is_replayed_has_the_state_that_it_left(open_line: Any, bench: Bench) -> None:
    line = open_line(watch=AFTER)
    bench.insert(text="first")
    [event] = line.take(1)
    line.run()
    bench.db.tickets.update_one({"_id": 1}, {"$set": {"text": "second"}})
    line.ingest.ingest(line.matcher, [replace(event, token=f"replay:again:{event.token}")])
    line.run()

    assert line.prompts() == ["insert: nothing → first"] * 2
    assert not Execution.objects.filter(status=Status.FAILED).exists()
