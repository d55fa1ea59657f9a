"""The statements of every run, written out: building them anew each time costs more than the database takes for them.

`executions_app.transitions` is what decides; nothing else may call what writes a status.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from django.db import connection
from django.db.models import Field, Model

from executions_app.ending import end_mark
from executions_app.models import Attempt, Execution

_TABLE: Final = "executions_app_execution"

_CLAIMED: Final = (
    "id",
    "agent_id",
    "version_id",
    "database",
    "collection",
    "document_key",
    "operation",
    "cascade",
    "event_time",
    "claim",
    "attempts",
    "deferrals",
    "predecessor",
    "subject",
    "request_id",
    "due_at",
    "created_at",
)
_CLAIM: Final = f"""
    UPDATE {_TABLE}
       SET status = 'running', reason = '', claim = claim + 1, worker = %s, started_at = %s
     WHERE id = %s AND status = 'queued'
       AND (coalesces OR NOT EXISTS (
            SELECT 1 FROM {_TABLE} AS earlier
             WHERE earlier.subject = {_TABLE}.subject
               AND earlier.slot IS NOT NULL
               AND (earlier.priority >= 0 OR {_TABLE}.priority < 0)
               AND (earlier.event_time < {_TABLE}.event_time
                    OR (earlier.event_time = {_TABLE}.event_time AND earlier.sequence < {_TABLE}.sequence))))
    RETURNING {", ".join(_CLAIMED)}
"""  # noqa: S608 - constants only
_WAKE: Final = f"""
    UPDATE {_TABLE} SET due_at = %s
     WHERE subject = %s AND slot IS NOT NULL AND status = 'pending' AND reason = 'document_busy'
"""  # noqa: S608 - constants only


def claim(execution_id: str, *, worker: str, now: datetime) -> dict[str, Any] | None:
    """Take a queued row whose document is free; returns its columns, as the driver gives them.

    Raises IntegrityError if another row of the document runs.
    """
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, [worker, connection.ops.adapt_datetimefield_value(now), execution_id])
        found = cursor.fetchone()
    return None if found is None else dict(zip(_CLAIMED, found, strict=True))


def settle(execution_id: str, claim_number: int, **columns: Any) -> bool:
    """End a running row that is still held under this claim; false if it is not."""
    with connection.cursor() as cursor:
        cursor.execute(_settle(tuple(columns)), [*_prepared(Execution, columns), execution_id, claim_number])
        return bool(cursor.rowcount)


def wake(subject: str, *, now: datetime) -> None:
    """Make the row due that waits for its document."""
    with connection.cursor() as cursor:
        cursor.execute(_WAKE, [connection.ops.adapt_datetimefield_value(now), subject])


def add_attempt(**columns: Any) -> None:
    """Put a model call on record."""
    with connection.cursor() as cursor:
        cursor.execute(_add_attempt(tuple(columns)), _prepared(Attempt, columns))


@lru_cache
def _settle(columns: tuple[str, ...]) -> str:
    changes = ", ".join(f"{name} = {end_mark() if name == 'completed_at' else '%s'}" for name in columns)
    return f"UPDATE {_TABLE} SET {changes} WHERE id = %s AND claim = %s AND status = 'running'"  # noqa: S608 - names


@lru_cache
def _add_attempt(columns: tuple[str, ...]) -> str:
    marks = ", ".join(["%s"] * len(columns))
    table = Attempt._meta.db_table  # noqa: SLF001 - Django documents it for this
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})"  # noqa: S608 - names


def _prepared(model: type[Model], columns: Mapping[str, Any]) -> list[Any]:
    fields = _fields(model)
    return [fields[name].get_db_prep_save(value, connection) for name, value in columns.items()]


@lru_cache
def _fields(model: type[Model]) -> dict[str, Field[Any, Any]]:
    return {field.attname: field for field in model._meta.concrete_fields}  # noqa: SLF001 - documented for this
