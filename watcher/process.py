"""The side tasks of the process: each steps until it is told to stop; the death of one stops them all."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

import structlog
from django.db import Error as DatabaseError
from django.db import connection
from pymongo.errors import PyMongoError

from executions_app.database import drop_broken_connection
from executions_app.fence import Fenced, Term
from watcher.leading.tenure import Tenure, Tenures

log = structlog.get_logger(__name__)

STANDBY_PAUSE: Final = 0.4
"""Seconds between two looks at a lease that another watcher holds."""

OUTAGE_PAUSE: Final = 1.0
"""Seconds between two tries while a server is away."""


class SideTaskDied(RuntimeError):
    """A thread of the watcher ended for a reason that waiting does not mend."""


class Keeper(Protocol):
    """What a side task runs."""

    def step(self) -> float:
        """Do a little; returns the seconds until the next step."""

    def stop(self) -> None:
        """End what is led within half a second, and release the leases."""


class Work(Protocol):
    """What one watcher at a time does under a lease: dispatch, backfills."""

    def step(self, term: Term) -> float:
        """Do one round under a term; returns the seconds until the next.

        Raises pymongo's and Django's errors, and Fenced when the term is over.
        """

    def stop(self) -> None:
        """Hold nothing any more: the lease is lost, or the process ends."""


@dataclass(slots=True)
class LeaderKeeper:
    """Lets one kind of work go on while this process holds its lease."""

    role: str
    tenures: Tenures
    work: Work
    _tenure: Tenure | None = field(default=None)

    def step(self) -> float:
        """Do one round of the work, or look whether the lease is free.

        Raises pymongo's and Django's errors.
        """
        tenure = self._tenure
        if tenure is not None and not self.tenures.holds(tenure):
            self._stand_down()
            tenure = None
        if tenure is None:
            tenure = self._tenure = self.tenures.take(self.role, role=self.role)
            if tenure is None:
                self.tenures.stepped(self.role)
                return STANDBY_PAUSE
        try:
            pause = self.work.step(tenure.term)
        except Fenced:
            # If the lease is ours all the same, leases were lost: taken again, its term rises above the later one.
            self._stand_down()
            return STANDBY_PAUSE
        self.tenures.stepped(self.role)
        return pause

    def stop(self) -> None:
        """End the work and release the lease."""
        if self._tenure is not None:
            self._stand_down()

    def _stand_down(self) -> None:
        tenure, self._tenure = self._tenure, None
        self.work.stop()
        if tenure is not None:
            self.tenures.give_up(tenure)


class SideTask(threading.Thread):
    """Steps a keeper until asked to stop, waiting out servers that are away; its death stops the process."""

    def __init__(self, name: str, keeper: Keeper, stopping: threading.Event) -> None:
        super().__init__(name=name, daemon=True)
        self._keeper = keeper
        self._stopping = stopping
        self.failed = False
        self.has_ended = False

    def run(self) -> None:
        """Step; then stop the keeper, whatever has happened."""
        try:
            keep(self.name, self._keeper.step, stopping=self._stopping)
        except Exception:  # whatever ends it, the main thread must learn of it
            self.failed = True
            log.exception("watcher.side_task_died", task=self.name)
        finally:
            self.has_ended = True
            self._keeper.stop()
            connection.close()


def keep(name: str, step: Callable[[], float], *, stopping: threading.Event) -> None:
    """Step until asked to stop, waiting out servers that are away.

    Raises whatever is not a server's absence.
    """
    works = False
    while not stopping.is_set():
        try:
            wait = step()
        except (PyMongoError, DatabaseError) as error:
            log.warning("keeper.waiting", keeper=name, error=type(error).__name__, detail=str(error)[:200])
            drop_broken_connection()
            wait = OUTAGE_PAUSE
        else:
            if not works:
                works = True
                log.info("keeper.started", keeper=name)
        stopping.wait(wait)
