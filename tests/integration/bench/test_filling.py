from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from bench.ledger.filling import fill

TABLES = """
    CREATE TABLE executions_app_execution (
        id TEXT PRIMARY KEY, agent_id TEXT NOT NULL, subject TEXT NOT NULL, sequence INTEGER NOT NULL,
        status TEXT NOT NULL, model_calls INTEGER NOT NULL, created_at TEXT NOT NULL, started_at TEXT,
        later_column TEXT NOT NULL, slot TEXT GENERATED ALWAYS AS (status || id) STORED);
    CREATE TABLE executions_app_attempt (
        id INTEGER PRIMARY KEY, execution_id TEXT NOT NULL, started_at TEXT NOT NULL, outcome TEXT NOT NULL);
    INSERT INTO executions_app_execution VALUES
        ('a', 'first', 's', 7, 'completed', 1, '2026-11-29', '2026-11-29', 'kept'),
        ('b', 'second', 't', 8, 'completed', 1, '2026-11-29', '2026-11-29', 'kept');
    INSERT INTO executions_app_attempt VALUES (1, 'a', '2026-11-29', 'valid');
"""


@pytest.fixture
def path(tmp_path: Path) -> str:
    place = str(tmp_path / "ledger.sqlite3")
    with closing(sqlite3.connect(place)) as ledger:
        ledger.executescript(TABLES)
    return place


def ask(path: str, statement: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path)) as ledger:
        return ledger.execute(statement).fetchall()


def test_rows_are_copies_of_what_each_agent_has_done_in_a_mix_of_statuses(path: str) -> None:
    fill(path, rows=1000)
    rows = "FROM executions_app_execution WHERE id NOT IN ('a', 'b')"
    found = dict(ask(path, f"SELECT status, COUNT(*) {rows} GROUP BY status"))
    assert found == {"completed": 940, "skipped": 30, "failed": 10, "pending": 20}
    assert dict(ask(path, f"SELECT agent_id, COUNT(*) {rows} GROUP BY agent_id")) == {
        "first": 500,
        "second": 500,
    }
    assert ask(path, f"SELECT DISTINCT later_column {rows}") == [("kept",)]
    assert ask(path, f"SELECT COUNT(DISTINCT subject) {rows}") == [(1000,)]


def test_each_row_that_is_done_or_has_failed_has_one_call_of_its_own(path: str) -> None:
    fill(path, rows=1000)
    known = "SELECT id FROM executions_app_execution"
    unlike = f"SELECT COUNT(*) FROM executions_app_attempt WHERE execution_id NOT IN ({known})"
    calls = "SELECT COUNT(*), COUNT(DISTINCT execution_id) FROM executions_app_attempt WHERE id > 1"
    assert ask(path, unlike) == [(0,)]
    assert ask(path, calls) == [(950, 950)]


def test_a_second_filling_goes_on_where_the_first_ended(path: str) -> None:
    fill(path, rows=100)
    fill(path, rows=250, start=100)
    sequences = "SELECT COUNT(*), MIN(sequence), MAX(sequence) FROM executions_app_execution WHERE id NOT IN ('a', 'b')"
    assert ask(path, sequences) == [(250, 0, 249)]
    assert ask(path, "SELECT COUNT(*) FROM executions_app_attempt WHERE id > 1") == [(240,)]
