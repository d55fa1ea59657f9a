"""What is known of one server, and how it is asked without piling up questions."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass, field
from typing import Any, Final

import structlog

from agents_app.errors import MongoClawError

log = structlog.get_logger(__name__)

DEADLINE_SECONDS: Final = 3.0
REFRESH_SECONDS: Final = 2.0


class Unhealthy(MongoClawError):
    """The server does not do what it should.

    The message is shown to whoever asks, so it names no host and no secret.
    """

    code = "unhealthy"


@dataclass(frozen=True, slots=True)
class Component:
    """The state of one server."""

    name: str
    latency_ms: float
    error: str | None = None
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def is_healthy(self) -> bool:
        """Whether it answered as it should."""
        return self.error is None

    def as_json(self) -> dict[str, Any]:
        """The wire form: `details` when healthy, `error` when not."""
        body: dict[str, Any] = {
            "status": "healthy" if self.is_healthy else "unhealthy",
            "latency_ms": self.latency_ms,
        }
        if self.error is not None:
            return body | {"error": self.error}
        return body | {"details": {"connected": True, **self.details}}


class Probe:
    """Asks one server, one question at a time: whoever comes meanwhile gets the same answer."""

    def __init__(self, name: str, ask: Callable[[], dict[str, Any]]) -> None:
        self.name = name
        self._ask = ask
        self._lock = threading.Lock()
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"probe-{name}")
        self._in_flight: Future[Component] | None = None
        self._last: Component | None = None
        self._begun_at = float("-inf")

    def begin(self) -> Future[Component]:
        """The answer to come."""
        with self._lock:
            if self._in_flight is None or self._in_flight.done():
                self._begun_at = time.monotonic()
                self._in_flight = self._executor.submit(self._run)
            return self._in_flight

    def last(self) -> Component | None:
        """The answer of a moment ago, at once; None before the first one. An old one is asked for anew meanwhile."""
        if time.monotonic() - self._begun_at > REFRESH_SECONDS:
            self.begin()
        return self._last

    def _run(self) -> Component:
        started = time.perf_counter()
        details: dict[str, Any] = {}
        error: str | None = None
        try:
            details = self._ask()
        except Unhealthy as reason:
            error = str(reason)
        except Exception as reason:  # noqa: BLE001  # whatever it is, the component is not healthy
            log.warning("health.probe_failed", component=self.name, error=str(reason))
            error = f"failed ({type(reason).__name__})"
        took = round((time.perf_counter() - started) * 1000, 1)
        self._last = Component(self.name, took, error, details)
        return self._last


def check(probes: Iterable[Probe], *, deadline_seconds: float = DEADLINE_SECONDS) -> tuple[Component, ...]:
    """Ask all at once, and count one that is silent until the deadline as unhealthy."""
    started = time.monotonic()
    waiting = [(probe.name, probe.begin()) for probe in probes]
    return tuple(
        _answer(name, future, max(0.0, deadline_seconds - (time.monotonic() - started)), deadline_seconds)
        for name, future in waiting
    )


def _answer(name: str, future: Future[Component], remaining: float, deadline: float) -> Component:
    try:
        return future.result(timeout=remaining)
    except FutureTimeout:
        return Component(name, round(deadline * 1000, 1), f"no answer within {deadline:g} s")
