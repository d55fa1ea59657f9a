"""Inserting rows by the thousand: past the ORM, by the statement that each database is quickest at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

from django.db import connection

from executions_app.models import Execution


class NewRow(NamedTuple):
    """The columns in which new rows differ; every other one begins with its field's default.

    Moments are as the database's adapter gives them.
    """

    id: str
    agent_id: str
    version_id: int
    database: str
    collection: str
    document_key: str
    document_id: str
    operation: str
    cascade: bool
    backfill: str
    event_time: str
    sequence: int
    subject: str
    coalesces: bool
    status: str
    reason: str
    priority: int
    due_at: Any
    created_at: Any
    queued_at: Any
    request_id: str | None = None


_META: Final = Execution._meta  # noqa: SLF001 - Django documents it for this
_TABLE: Final = _META.db_table
_INCOMING: Final = "executions_app_incoming"


def insert(rows: Sequence[NewRow]) -> Counter[str]:
    """Insert the rows that no row stands in the way of, in the open transaction; returns how many by their status.

    Raises Django's database errors.
    """
    if not rows:
        return Counter()
    if connection.vendor == "postgresql":
        return _copy(rows)
    inserted: Counter[str] = Counter()
    with connection.cursor() as cursor:
        for status in {row.status for row in rows}:
            alike = [row for row in rows if row.status == status]
            cursor.executemany(_statement(f"VALUES ({_marks()}, {_defaults()})"), alike)
            inserted[status] = int(cursor.rowcount)
    return inserted


def _copy(rows: Sequence[NewRow]) -> Counter[str]:
    """COPY cannot skip what conflicts, so the rows pass through a temporary table: a third of an INSERT's time.

    They go on in the order of their subjects, so that two transactions with the same documents wait for each
    other in one direction only.
    """
    incoming = ", ".join(NewRow._fields)
    source = f"SELECT {incoming}, {_defaults()} FROM {_INCOMING} ORDER BY subject, sequence"  # noqa: S608 - names
    with connection.cursor() as cursor:
        cursor.execute(_incoming_table())
        with (
            connection.wrap_database_errors,
            cursor.copy(f"COPY {_INCOMING} ({incoming}) FROM STDIN") as copy,
        ):
            for row in rows:
                copy.write_row(row)
        cursor.execute(f"{_statement(source)} RETURNING status")
        inserted = Counter(status for (status,) in cursor.fetchall())
        # For a transaction that inserts twice; the end of the transaction empties it too.
        cursor.execute(f"DELETE FROM {_INCOMING}")  # noqa: S608 - a constant
    return inserted


@lru_cache
def _statement(source: str) -> str:
    """Insert what the source gives and skip what conflicts."""
    columns = ", ".join((*NewRow._fields, *_fixed()))
    return f"INSERT INTO {_TABLE} ({columns}) {source} ON CONFLICT DO NOTHING"


@lru_cache
def _incoming_table() -> str:
    fields = {field.attname: field for field in _META.concrete_fields}
    columns = ", ".join(f"{name} {fields[name].db_type(connection)}" for name in NewRow._fields)
    return f"CREATE TEMPORARY TABLE IF NOT EXISTS {_INCOMING} ({columns}) ON COMMIT DELETE ROWS"


def _marks() -> str:
    return ", ".join(["%s"] * len(NewRow._fields))


def _defaults() -> str:
    return ", ".join(_fixed().values())


@lru_cache
def _fixed() -> dict[str, str]:
    """The columns that are the same in every new row, with their value in SQL."""
    fields = [
        field
        for field in _META.concrete_fields
        if field.attname not in NewRow._fields and not field.generated
    ]
    return {field.attname: _literal(field.get_default()) for field in fields}


def _literal(value: object) -> str:
    match value:
        case None:
            return "NULL"
        case bool() | int():
            return str(value).upper()
        case "":
            return "''"
    raise TypeError(f"no default of a new row: {value!r}")
