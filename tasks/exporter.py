"""A worker's own address: its metrics, and whether it works."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import structlog

from executions_app.heartbeat import Heartbeat
from executions_app.metrics.endpoint import Endpoint, open_endpoint
from executions_app.metrics.info import SHARED_DIRECTORY, process_metrics

if TYPE_CHECKING:
    from mongoclaw_project.config import Settings

log = structlog.get_logger(__name__)

SETTING: Final = "MONGOCLAW_OBSERVABILITY__METRICS_PORT"


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether the worker works, and why not where it does not."""

    standing: str
    reasons: tuple[str, ...] = ()

    @property
    def is_ready(self) -> bool:
        """Whether it does."""
        return not self.reasons


@dataclass(frozen=True, slots=True)
class Pulse:
    """What a worker's readiness is judged by.

    There is no heartbeat before the ledger could be reached, and none in the first process of a worker that forks.
    """

    heartbeat: Callable[[], Heartbeat | None]
    consumer: Any
    forks: bool
    is_stopping: Callable[[], bool]
    patience: timedelta
    now: Callable[[], datetime]

    def readiness(self) -> Readiness:
        """Say whether the worker takes messages and is known to be alive."""
        if self.is_stopping():
            return Readiness("stopping", ("it was asked to stop",))
        reasons = []
        if getattr(self.consumer, "connection", None) is None:  # Celery's, while it has no broker
            reasons.append("the broker cannot be reached")
        heartbeat = self.heartbeat()
        beaten_at = heartbeat.beaten_at if heartbeat else None
        if not self.forks and (beaten_at is None or self.now() - beaten_at > self.patience):
            reasons.append("its heartbeat does not reach the SQL database")
        return Readiness("not_ready" if reasons else "working", tuple(reasons))


def open_exporter(settings: Settings, pulse: Pulse) -> Endpoint | None:
    """Open the worker's address, unless it is turned off, is taken, or could tell nothing.

    Children that are forked count for themselves: only files that they share can be read by the process that answers.
    """
    observability = settings.observability
    if pulse.forks and SHARED_DIRECTORY not in os.environ:
        log.warning(
            "endpoint.not_opened",
            error="this pool forks, and its processes count apart",
            remedy=f"run --pool threads, or set {SHARED_DIRECTORY} for this worker alone to an empty directory",
        )
        return None
    return open_endpoint(
        observability.metrics_host,
        observability.metrics_port if observability.metrics_enabled else 0,
        setting=SETTING,
        metrics=process_metrics,
        readiness=pulse.readiness,
    )
