"""A worker that has the message of a held agent."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from executions_app import holds
from executions_app.states import Reason, Status
from tests.integration.tasks.conftest import Bench


@pytest.mark.parametrize("scope", ["triage", holds.ALL])
def test_the_row_is_put_back_with_its_reason_and_burns_no_attempt(bench: Bench, scope: str) -> None:
    bench.publish()
    bench.insert()
    holds.pause(scope, by="tests", why="", now=datetime.now(UTC))

    row = bench.run()

    assert (row.status, row.reason, row.attempts) == (Status.PENDING, Reason.HELD, 0)
    assert bench.model.calls()["total"] == 0

    holds.resume(scope, by="tests", now=datetime.now(UTC))
    assert bench.run_again(row).status == Status.COMPLETED


def test_many_runs_ask_about_holds_once_a_second(bench: Bench) -> None:
    bench.publish()
    with CaptureQueriesContext(connection) as queries:
        for key in range(10):
            bench.run(key)
    asked = [query for query in queries.captured_queries if "executions_app_hold" in query["sql"]]
    assert len(asked) <= 2  # ten runs may take more than a second on a busy machine
