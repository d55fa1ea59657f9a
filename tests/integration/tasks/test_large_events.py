"""Transactions of thousands of changes and keys of megabytes: from the stream to the ledger and back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pymongo import MongoClient

from executions_app.models import Execution
from executions_app.states import Status
from tests.integration.tasks.conftest import Bench
from tests.integration.tasks.line import Line

Document = dict[str, Any]
WATCH: Document = {"operations": ["insert", "update", "delete"]}


@pytest.fixture
def line(bench: Bench) -> Iterator[Line]:
    """The line of an agent that takes each change by itself."""
    bench.publish(watch=WATCH, execution={"coalesce": False})
    opened = Line(bench)
    yield opened
    opened.stream.close()


def test_a_transaction_of_thousands_is_on_record_once_each_and_in_order(
    line: Line, bench: Bench, mongo: MongoClient[Document]
) -> None:
    with mongo.start_session() as session, session.start_transaction():
        for start in range(0, 3000, 500):
            keys = range(start, start + 500)
            bench.db.tickets.insert_many([{"_id": key, "text": "new"} for key in keys], session=session)
            bench.db.tickets.update_one({"_id": 0}, {"$set": {"text": str(start)}}, session=session)
        bench.db.tickets.delete_one({"_id": 0}, session=session)

    events = line.take(3007)
    line.ingest.ingest(line.matcher, events)  # as after a crash between the rows and the position

    rows = Execution.objects.order_by("sequence").values_list("document_id", "operation", "event_time")
    wanted = []
    for start in range(0, 3000, 500):
        wanted += [(str(key), "insert") for key in range(start, start + 500)]
        wanted.append(("0", "update"))
    wanted.append(("0", "delete"))
    assert [(key, operation) for key, operation, _ in rows] == wanted
    assert len({time for _, _, time in rows}) == 1, "one transaction, one time: the sequence alone orders"
    assert len({event.token for event in events}) == 3007


def test_a_key_of_megabytes_is_recorded_and_worked_on_and_stops_no_other(line: Line, bench: Bench) -> None:
    huge = "k" * 3_000_000
    bench.insert(huge)
    bench.insert("small")
    line.take(2)
    rows = line.run()

    assert [row.status for row in rows] == [Status.COMPLETED, Status.COMPLETED]
    assert set(bench.document(huge)["ai"]) == {"category", "score"}
