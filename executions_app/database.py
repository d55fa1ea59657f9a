"""How threads of one process share the SQL database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Final

from django.db import connection

from executions_app.turns import Turns

_SQLITE_WRITER: Final = Turns()


def aware(moment: datetime | str) -> datetime:
    """Return a moment that was read past the ORM: SQLite keeps UTC without saying so, or as text."""
    read = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    return read.replace(tzinfo=UTC) if read.tzinfo is None else read


@contextmanager
def write_turn() -> Iterator[None]:
    """Hold this process's turn to write.

    SQLite has one writer; threads that queue here wait without polling, while SQLite's own busy handler sleeps
    in growing steps and starves somebody. PostgreSQL needs no turn.
    """
    if connection.vendor != "sqlite":
        yield
        return
    with _SQLITE_WRITER.turn():
        yield


@contextmanager
def patiently() -> Iterator[None]:
    """Let all other threads of this process write first, as work that is in no hurry does."""
    with _SQLITE_WRITER.patiently():
        yield


def release_connection() -> None:
    """Give the thread's connection back before a long wait, so that a model call never holds one.

    A PostgreSQL connection returns to the process-wide pool. A SQLite connection is a file handle of this thread,
    costs nothing while it idles, and a fifth of the worker's time when it is reopened for each task.
    """
    if connection.vendor != "sqlite" and not connection.in_atomic_block:
        connection.close()


def drop_broken_connection() -> None:
    """Close the thread's connection after an error, so that the next statement opens a fresh one."""
    if not connection.in_atomic_block:
        connection.close()
