"""Examining the SQL database."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from django.db import connection, transaction
from django.db.migrations.executor import MigrationExecutor

from mongoclaw_project.cli import sql
from mongoclaw_project.cli.doctor.finding import Finding, bad, doubtful, good

OLDEST_POSTGRES: Final = 140_000


def examine_server() -> Iterator[Finding]:
    """Look at the database: reachable, writable, with all tables, fit for several processes."""
    try:
        with sql.explained():
            connection.ensure_connection()
            yield from _kind()
            yield from _tables()
    except sql.SqlUnusable as error:
        yield bad(error.what, error.remedy)


def _kind() -> Iterator[Finding]:
    with connection.cursor() as cursor:
        if connection.vendor != "sqlite":
            cursor.execute("SHOW server_version_num")
            number = int(cursor.fetchone()[0])
            yield good(f"PostgreSQL {number // 10_000}.{number % 10_000} answers")
            if number < OLDEST_POSTGRES:
                yield doubtful("this PostgreSQL gets no fixes any more", "upgrade to 14 or newer")
            return
        cursor.execute("PRAGMA journal_mode")
        mode = str(cursor.fetchone()[0])
    file = connection.settings_dict["NAME"]
    if mode == "wal":
        yield good(f"the SQLite file {file} opens, with a write-ahead log")
    else:
        yield bad(
            f"the SQLite file {file} has journal mode {mode}: readers and writers block each other",
            "put the file on a local disk, where its mode can be wal",
        )


def _tables() -> Iterator[Finding]:
    executor = MigrationExecutor(connection)
    missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if missing:
        yield bad(f"{len(missing)} migrations are not applied", "run `mongoclaw migrate`")
        return
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE django_migrations SET name = name WHERE id < 0")
    yield good("all migrations are applied, and it can be written")
