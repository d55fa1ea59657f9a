"""The ledger, read from outside with plain SQL."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psycopg

ROWS = "executions_app_execution"


@dataclass(frozen=True)
class Ledger:
    """A connection that only reads."""

    connection: Any

    def ask(self, statement: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        return self._all(statement)

    def seconds_between(self, statement: str) -> float:
        """Return the seconds from the first to the second moment of a query's only row."""
        [(begun, ended)] = self._all(statement)
        return _seconds(ended) - _seconds(begun)

    def _all(self, statement: str) -> list[tuple[Any, ...]]:
        return list(self.connection.execute(statement).fetchall())

    def rows(self, agent: str | None = None) -> int:
        """Count the executions, of one agent if it is named."""
        condition = "" if agent is None else f" WHERE agent_id = '{agent}'"
        return int(self._all(f"SELECT COUNT(*) FROM {ROWS}{condition}")[0][0])  # noqa: S608 - names of the bench's own

    def chunks(self) -> list[tuple[float, int]]:
        """Return when each chunk of rows was begun, as seconds since 1970, and how many it holds."""
        found = self._all(f"SELECT created_at, COUNT(*) FROM {ROWS} GROUP BY 1 ORDER BY 1")  # noqa: S608
        return [(_seconds(moment), int(count)) for moment, count in found]

    def documents(self) -> dict[str, str]:
        """Return the document's `_id` of each execution, as text."""
        return dict(self._all(f"SELECT id, document_id FROM {ROWS}"))  # noqa: S608


def _seconds(moment: datetime | str) -> float:
    if isinstance(moment, str):  # SQLite
        moment = datetime.fromisoformat(moment).replace(tzinfo=UTC)
    return moment.timestamp()


@contextmanager
def open_ledger(url: str) -> Iterator[Ledger]:
    """Open the database of a SQLite or PostgreSQL address."""
    if url.startswith("sqlite:///"):
        connection: Any = sqlite3.connect(url.removeprefix("sqlite:///"), timeout=20, isolation_level=None)
    else:
        connection = psycopg.connect(url, autocommit=True)
    try:
        yield Ledger(connection)
    finally:
        connection.close()
