"""Dead letters, counted now and then for the metrics; a scrape asks nobody."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Final

import structlog
from django.db import DatabaseError, InterfaceError, connection

from executions_app import dead_letters

log = structlog.get_logger(__name__)

INTERVAL: Final = 10.0


class DeadLetterCounter(threading.Thread):
    """Counts every few seconds while this process is the one that `counts`, so that the fleet's sum is no multiple."""

    def __init__(self, counts: Callable[[], bool], *, interval: float = INTERVAL) -> None:
        super().__init__(name="dead-letters", daemon=True)
        self._counts = counts
        self._interval = interval
        self._stopping = threading.Event()
        self.counted: Mapping[tuple[str, str], int] = {}

    def run(self) -> None:
        """Count, wait, count again."""
        while not self._stopping.is_set():
            self.look()
            self._stopping.wait(self._interval)

    def stop(self) -> None:
        """Count no more."""
        self._stopping.set()

    def look(self) -> None:
        """Count once. What a database that is away had said before is dropped: it may be untrue by now."""
        try:
            self.counted = dead_letters.counts() if self._counts() else {}
        except (DatabaseError, InterfaceError) as error:
            self.counted = {}
            log.debug("dead_letters.not_counted", error=type(error).__name__)
        except Exception:
            self.counted = {}
            log.exception("dead_letters.not_counted")
        finally:
            connection.close()
