"""What is asked of the servers for the metrics, now and then and cheaply; a scrape asks nobody."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import structlog
from bson import Timestamp
from pymongo import MongoClient
from pymongo.errors import PyMongoError

from watcher.observing.oplog import Oplog, ServerClock, read_clock, read_oplog

log = structlog.get_logger(__name__)

INTERVAL: Final = 10.0
PACE_SECONDS: Final = 1_800.0
"""How far back the oplog's pace is measured: it drops entries in large pieces, so short looks mislead."""

Document = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What the servers said last. `pace` is how many seconds of history the oplog drops in a second."""

    clock: ServerClock
    oplog: Oplog | None = None
    pace: float = 1.0
    positions: Mapping[str, Timestamp] = field(default_factory=dict)


class Observer(threading.Thread):
    """Looks at the servers every few seconds until it is stopped."""

    def __init__(
        self,
        client: MongoClient[Document],
        positions: Callable[[], Mapping[str, Timestamp]],
        *,
        monotonic: Callable[[], float],
        interval: float = INTERVAL,
    ) -> None:
        super().__init__(name="observer", daemon=True)
        self._client = client
        self._positions = positions
        self._monotonic = monotonic
        self._interval = interval
        self._stopping = threading.Event()
        self._firsts: deque[tuple[float, int]] = deque(maxlen=int(PACE_SECONDS / interval))
        self.seen: Observation | None = None

    def run(self) -> None:
        """Look, wait, look again. What a server that is away had said before is dropped: it may be untrue by now."""
        while not self._stopping.is_set():
            try:
                self.seen = self.look()
            except PyMongoError as error:
                self.seen = None
                log.debug("observer.waiting", error=type(error).__name__)
            except Exception:
                self.seen = None
                log.exception("observer.failed")
            self._stopping.wait(self._interval)

    def stop(self) -> None:
        """Look no more."""
        self._stopping.set()

    def look(self) -> Observation:
        """Ask the servers once. Raises pymongo's errors."""
        clock = read_clock(self._client, monotonic=self._monotonic())
        oplog = read_oplog(self._client) if clock.members else None
        if oplog is not None:
            self._firsts.append((clock.monotonic, oplog.first.time))
        return Observation(clock=clock, oplog=oplog, pace=self._pace(), positions=self._positions())

    def _pace(self) -> float:
        if len(self._firsts) < 2:  # noqa: PLR2004  # one look shows no movement
            return 1.0
        (since, began), (until, ended) = self._firsts[0], self._firsts[-1]
        return (ended - began) / (until - since) if until > since else 1.0
