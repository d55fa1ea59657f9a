"""Keeping on until the ledger has it: an answer that was paid for is not dropped because SQL is away for a while."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final, TypeVar

import structlog
from django.db import DatabaseError, InterfaceError, OperationalError

from executions_app.database import drop_broken_connection

log = structlog.get_logger(__name__)

Result = TypeVar("Result")

FIRST_WAIT: Final = 0.1
LONGEST_WAIT: Final = 2.0


def persist(write: Callable[[], Result], *, stopping: threading.Event) -> Result:
    """Call `write` until the database takes it, waiting up to 2 seconds between tries.

    Only an unreachable or locked database is waited for; any other error is the caller's. While the process is
    stopping the error is raised instead: the row is then reclaimed like that of any dead worker.

    Raises OperationalError or InterfaceError once `stopping` is set.
    """
    wait = FIRST_WAIT
    while True:
        try:
            return write()
        except (OperationalError, InterfaceError) as error:
            drop_broken_connection()
            if stopping.is_set():
                raise
            log.warning("ledger.unreachable", error=_short(error), retry_in_seconds=wait)
            stopping.wait(wait)
            wait = min(wait * 2, LONGEST_WAIT)


def _short(error: DatabaseError | InterfaceError) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
