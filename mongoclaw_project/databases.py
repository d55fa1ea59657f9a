"""Django's DATABASES from our settings: SQLite made fit for several processes, or PostgreSQL with a pool."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import dj_database_url

from mongoclaw_project.config import Settings

SQLITE_PRAGMAS: Final = "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"

WEB_PATIENCE_SECONDS: Final = 5.0
WEB_KEEPS_SECONDS: Final = 60
"""How long a thread of a web process keeps its SQLite file open: opening it for each request is a fifth of the request,
and for ever would be beyond the day on which somebody puts a backup in the file's place.
"""

RECONNECT_SECONDS: Final = 8.0
"""For so long a pool tries by itself, waiting twice as long each time; then whoever asks makes it begin anew.

With its default of 5 minutes, a server that comes back after two of them would be looked for two minutes later.
"""


def databases(settings: Settings) -> dict[str, dict[str, Any]]:
    """The one database; none outside development when none is configured (`mongoclaw.E002` says so)."""
    url = settings.database.url
    if not url:
        return {}
    parsed: dict[str, Any] = dict(dj_database_url.parse(url))
    if url.startswith("sqlite:"):
        return {"default": _sqlite(parsed, settings)}
    return {"default": _postgresql(parsed, settings)}


def serve_requests(database: dict[str, Any]) -> None:
    """Let a process connect as one does that answers requests.

    It waits for a connection no longer than somebody waits for an answer: else a PostgreSQL that is away takes all of
    its threads for `pool_timeout_seconds`, those for health included. It keeps an open SQLite file for a while.
    """
    pool = database["OPTIONS"].get("pool")
    if pool is None:
        database["CONN_MAX_AGE"] = WEB_KEEPS_SECONDS
    else:
        pool["timeout"] = min(pool["timeout"], WEB_PATIENCE_SECONDS)


def _sqlite(parsed: dict[str, Any], settings: Settings) -> dict[str, Any]:
    """With Django's defaults a tenth of eight writers' transactions fails as "locked"; here none does."""
    with suppress(OSError):  # the first use says it better, and processes that need it ask `places` before
        Path(parsed["NAME"]).parent.mkdir(parents=True, exist_ok=True)
    return parsed | {
        # A test needs a file as well: threads cannot share a database in memory without sharing its locks.
        "TEST": {"NAME": str(settings.state_dir / "test.sqlite3")},
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "timeout": settings.database.busy_timeout_seconds,
            "init_command": SQLITE_PRAGMAS,
        },
    }


def _postgresql(parsed: dict[str, Any], settings: Settings) -> dict[str, Any]:
    """Celery closes connections around each task; a pool makes that a return to the process's pool."""
    options = dict(parsed.get("OPTIONS", {}))
    options["pool"] = {
        "min_size": 1,
        "max_size": settings.database.pool_size,
        "timeout": settings.database.pool_timeout_seconds,
        "reconnect_timeout": RECONNECT_SECONDS,
    }
    return parsed | {"CONN_MAX_AGE": 0, "CONN_HEALTH_CHECKS": True, "OPTIONS": options}
