"""The fleet's metrics, put together: computed once a second or two, whoever scrapes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import structlog
from django.db import Error as DatabaseError
from django.db import InterfaceError
from prometheus_client.registry import Collector

from agents_app import registry
from executions_app import dead_letters
from executions_app.limits import Limiter, LimiterUnavailable
from executions_app.metrics import ended, held, present
from executions_app.metrics.declared import fleet
from executions_app.metrics.metric import Family, family
from executions_app.metrics.names import oldest_agents
from executions_app.metrics.present import Sights
from executions_app.routes import Routes
from executions_app.vital_signs import VitalSigns

log = structlog.get_logger(__name__)

FRESH_SECONDS: Final = 2.0
LONGEST_WAIT_SECONDS: Final = 5.0
"""Whoever has waited for somebody else's look for so long is told what was seen before."""

LETTERS_FRESH_SECONDS: Final = 10.0
"""Counting dead letters reads as many index entries as there are, so it is done less often."""

Part = Callable[[], Iterator[Family]]


class SourceAway(Exception):
    """A source of metrics does not answer."""


@dataclass(slots=True, kw_only=True, eq=False)
class Fleet(Collector):
    """Everything that is the same at every web server. `more` are sources that others add, which raise SourceAway."""

    routes: Routes
    limiter: Limiter
    patience: float
    agents: int
    consumer_group: str
    per_slot: float
    now: Callable[[], datetime]
    more: Mapping[str, Part] = field(default_factory=dict)
    monotonic: Callable[[], float] = time.monotonic
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _seen: list[Family] = field(default_factory=list)
    _seen_at: float = float("-inf")
    _letters: Mapping[tuple[str, str], int] = field(default_factory=dict)
    _letters_at: float = float("-inf")
    _vital_signs: VitalSigns = field(init=False)

    def __post_init__(self) -> None:
        """Remember who gave signs of life."""
        self._vital_signs = VitalSigns(self.patience)

    def collect(self) -> list[Family]:
        """Return the families, two seconds old at most. Whoever asks meanwhile gets the same."""
        if not self._lock.acquire(timeout=LONGEST_WAIT_SECONDS):
            return self._seen
        try:
            if self.monotonic() - self._seen_at >= FRESH_SECONDS:
                self._seen = list(self._look())
                self._seen_at = self.monotonic()
            return self._seen
        finally:
            self._lock.release()

    def _look(self) -> Iterator[Family]:
        sources: dict[str, Part] = {"sql": self._sql, "redis": self._redis, **self.more}
        up = {}
        for name, part in sources.items():
            try:
                found = list(part())
            except (DatabaseError, InterfaceError) as error:
                # All parts ask SQL for the agents: a source that was not asked for it is not known to be away.
                log.debug("scrape.source_away", source="sql", error=type(error).__name__)
                up["sql"] = 0.0
            except (SourceAway, LimiterUnavailable) as error:
                log.debug("scrape.source_away", source=name, error=type(error).__name__)
                up[name] = 0.0
            else:
                up.setdefault(name, 1.0)
                yield from found
        yield family(fleet.SOURCE_UP, (((name,), value) for name, value in up.items()))

    def _sql(self) -> Iterator[Family]:
        names = oldest_agents(self.agents)
        sights = Sights(
            now=self.now(),
            names=names,
            plan=self.routes.plan(),
            vital_signs=self._vital_signs,
            consumer_group=self.consumer_group,
            per_slot=self.per_slot,
        )
        yield from ended.of_agents(names)
        yield from ended.of_models(self.agents)
        yield from present.of_ledger(sights)
        yield from present.of_letters(self._count_letters(), names)

    def _count_letters(self) -> Mapping[tuple[str, str], int]:
        if self.monotonic() - self._letters_at >= LETTERS_FRESH_SECONDS:
            self._letters, self._letters_at = dead_letters.counts(), self.monotonic()
        return self._letters

    def _redis(self) -> Iterator[Family]:
        agents, names = registry.active_agents(), oldest_agents(self.agents)
        yield from held.of_limits(self.limiter, agents, names, monotonic=self.monotonic())
