"""Rows by the million, in plain SQL: copies of rows that the system itself has written, spread over ninety days."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from typing import Final

EXECUTIONS: Final = "executions_app_execution"
ATTEMPTS: Final = "executions_app_attempt"
_BLOCK: Final = 50_000

# Of a hundred rows 94 are done, three were skipped, one has failed and two wait for a day that has not come.
_STATUS: Final = (
    "CASE WHEN i % 100 < 94 THEN 'completed' WHEN i % 100 < 97 THEN 'skipped' "
    "WHEN i % 100 < 98 THEN 'failed' ELSE 'pending' END"
)
_CREATED: Final = "strftime('%Y-%m-%d %H:%M:%f000', 'now', '-' || ((:rows - i) * 90.0 / :rows) || ' days')"
_ENDED: Final = f"CASE WHEN i % 100 < 98 THEN {_CREATED} END"
_RANDOM: Final = "lower(hex(randomblob(16)))"
_DOCUMENT: Final = "printf('%08x%016x', 1700000000 + i, i)"
_CHANGED: Final[Mapping[str, str]] = {
    "id": f"printf('%02x', i / 64 % 256) || substr({_RANDOM}, 3)",
    "subject": _RANDOM,
    "document_id": _DOCUMENT,
    "document_key": f"""'{{"_id": {{"$oid": "' || {_DOCUMENT} || '"}}}}'""",
    "sequence": "i",
    "status": _STATUS,
    "reason": (
        "CASE WHEN i % 100 < 94 THEN 'written' WHEN i % 100 < 97 THEN 'unchanged_input' "
        "WHEN i % 100 < 98 THEN 'answer_invalid' ELSE 'provider_unavailable' END"
    ),
    "error_type": "CASE i % 100 WHEN 97 THEN 'answer_invalid' ELSE '' END",
    "error": "CASE i % 100 WHEN 97 THEN 'The answer does not fit the schema' ELSE '' END",
    "traceback": "CASE i % 100 WHEN 97 THEN printf('%.*c', 1500, 'x') ELSE '' END",
    "priority": "i % 3",
    "due_at": f"CASE WHEN i % 100 < 98 THEN {_CREATED} ELSE strftime('%Y-%m-%d %H:%M:%f000', 'now', '+1 day') END",
    "created_at": _CREATED,
    "queued_at": _CREATED,
    "started_at": _ENDED,
    "completed_at": _ENDED,
}


def fill(path: str, *, rows: int, start: int = 0) -> None:
    """Add the rows numbered from `start` up to `rows`, with one model call for each that is done or has failed.

    Needs at least one execution with its call in the ledger, which is copied; a new column is copied too.
    """
    with closing(sqlite3.connect(path, timeout=60, isolation_level=None)) as ledger:
        ledger.execute(
            "CREATE TEMP TABLE models AS SELECT * FROM executions_app_execution WHERE model_calls > 0"
        )
        for begin in range(start, rows, _BLOCK):
            bounds = {"rows": rows, "begin": begin, "end": min(begin + _BLOCK, rows)}
            ledger.execute("BEGIN IMMEDIATE")
            ledger.execute(_executions(ledger), bounds)
            ledger.execute(_attempts(ledger), bounds)
            ledger.execute("COMMIT")


def _executions(ledger: sqlite3.Connection) -> str:
    columns = _columns(ledger, EXECUTIONS)
    values = ", ".join(_CHANGED.get(name, f"model.{name}") for name in columns)
    return (
        "WITH RECURSIVE number(i) AS (SELECT :begin UNION ALL SELECT i + 1 FROM number WHERE i + 1 < :end) "  # noqa: S608 - constants
        f"INSERT INTO {EXECUTIONS} ({', '.join(columns)}) SELECT {values} FROM number "
        "JOIN temp.models AS model ON model.rowid = 1 + i % (SELECT COUNT(*) FROM temp.models)"
    )


def _attempts(ledger: sqlite3.Connection) -> str:
    columns = [name for name in _columns(ledger, ATTEMPTS) if name != "id"]
    changed = {"execution_id": "row.id", "started_at": "row.started_at"}
    values = ", ".join(changed.get(name, f"model.{name}") for name in columns)
    return (
        f"INSERT INTO {ATTEMPTS} ({', '.join(columns)}) SELECT {values} FROM {EXECUTIONS} AS row "  # noqa: S608 - constants
        f"CROSS JOIN (SELECT * FROM {ATTEMPTS} LIMIT 1) AS model "
        f"WHERE row.rowid > (SELECT MAX(rowid) FROM {EXECUTIONS}) - (:end - :begin) "
        "AND row.status IN ('completed', 'failed')"
    )


def _columns(ledger: sqlite3.Connection, table: str) -> list[str]:
    """Name the columns that can be written: those that are not generated."""
    described = ledger.execute(f"PRAGMA table_xinfo({table})").fetchall()
    return [name for _, name, _, _, _, _, hidden in described if not hidden]
