"""The process around readers and dispatch: leases, the set of agents, and an orderly end."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import structlog
from django.db import Error as DatabaseError
from django.db import connection
from pymongo.errors import PyMongoError

from agents_app import registry
from agents_app.registry import ActiveAgent
from executions_app.database import drop_broken_connection
from executions_app.fence import Term
from watcher.dispatch import Dispatch
from watcher.lease import Lease
from watcher.reader import Reader, Reading
from watcher.unit import Unit

log = structlog.get_logger(__name__)

IDLE_TICK: Final = 0.25
BUSY_TICK: Final = 0.05
STOP_PATIENCE: Final = 5.0


class SideTaskDied(RuntimeError):
    """A thread of the watcher ended for a reason that waiting does not mend."""


@dataclass(slots=True)
class StreamKeeper:
    """Keeps one reader per watched database running while it holds the stream lease."""

    lease: Lease
    reading: Reading
    readers: dict[str, Reader]
    term: int | None = None

    def step(self) -> None:
        """Renew the lease and bring the readers in line with the agents.

        Raises SideTaskDied if a reader failed for good, pymongo's and Django's errors if a server is away.
        """
        term = self.lease.acquire()
        if term is not None and term == self.term and any(reader.fenced for reader in self.readers.values()):
            # Nobody else leads, so positions of a later term are left from leases that are gone.
            term = self.lease.rise_above(self.reading.positions.highest_term())
        if term != self.term:
            self.stop()
            self.term = term
            log.info("lease.stream", term=term, leading=term is not None)
        self._bury()
        if term is None:
            return
        wanted = _by_database(registry.active_agents())
        for database, agents in wanted.items():
            self._keep(database, agents, term)
        for database in self.readers.keys() - wanted.keys():
            self.readers.pop(database).stop()

    def stop(self) -> None:
        """Stop all readers and wait for their last position.

        One that does not end in time does no harm: its rows are the ids that its successor's are, its position holds
        only what is on record, and once a later term has written one it is fenced.
        """
        for reader in self.readers.values():
            reader.stop()
        for reader in self.readers.values():
            reader.join(STOP_PATIENCE)
        self.readers.clear()

    def _keep(self, database: str, agents: Sequence[ActiveAgent], term: int) -> None:
        reader = self.readers.get(database)
        if reader is None:
            reader = self.readers[database] = Reader(
                self.reading, Unit(database), agents, term=Term(f"stream:{database}", term)
            )
            reader.start()
        else:
            reader.watch(agents)

    def _bury(self) -> None:
        for database, reader in list(self.readers.items()):
            if reader.failure is not None:
                raise SideTaskDied(f"the reader of {database} died") from reader.failure
            if not reader.is_alive():
                del self.readers[database]


@dataclass(slots=True)
class DispatchKeeper:
    """Ticks dispatch while it holds the dispatch lease."""

    lease: Lease
    dispatch: Dispatch
    renew_every: float
    monotonic: Callable[[], float]
    leading: bool = False
    renewed_at: float = float("-inf")

    def step(self) -> float:
        """Do one tick; returns the seconds until the next."""
        if self.monotonic() - self.renewed_at >= self.renew_every:
            leading = self.lease.acquire() is not None
            self.renewed_at = self.monotonic()
            if leading != self.leading:
                log.info("lease.dispatch", leading=leading)
                self.dispatch.vitality.forget()
            self.leading = leading
        if not self.leading:
            return IDLE_TICK
        return BUSY_TICK if self.dispatch.tick() else IDLE_TICK

    def stop(self) -> None:
        """Nothing is held between two ticks."""


def keep(name: str, step: Callable[[], float | None], *, pause: float, stopping: threading.Event) -> None:
    """Step until asked to stop, waiting out servers that are away.

    Raises whatever is not a server's absence.
    """
    try:
        while not stopping.is_set():
            wait = pause
            try:
                wait = step() or pause
            except (PyMongoError, DatabaseError) as error:
                log.warning(
                    "keeper.waiting", keeper=name, error=type(error).__name__, detail=str(error)[:200]
                )
                drop_broken_connection()
                wait = max(pause, 1.0)
            stopping.wait(wait)
    finally:
        connection.close()


def _by_database(agents: Sequence[ActiveAgent]) -> dict[str, list[ActiveAgent]]:
    grouped: defaultdict[str, list[ActiveAgent]] = defaultdict(list)
    for agent in agents:
        grouped[agent.spec.watch.database].append(agent)
    return dict(grouped)
