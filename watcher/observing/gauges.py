"""The gauges, set from what the process does at the moment of a scrape: a stream that has moved leaves none behind."""

from __future__ import annotations

import threading
from collections.abc import Callable

from bson import Timestamp

from executions_app.metrics.info import process_metrics
from watcher.observing import metrics
from watcher.observing.observer import Observation
from watcher.observing.oplog import seconds_to_loss
from watcher.observing.readiness import Led, Vital
from watcher.reading.status import StreamState

OF_STREAMS = (
    metrics.STREAM_LAG,
    metrics.STREAM_BUSY,
    metrics.POSITION_AGE,
    metrics.TIME_TO_HISTORY_LOST,
    metrics.LEASE_TERM,
)


class Gauges:
    """Sets the gauges and writes all metrics out, one scrape at a time.

    A stream that has not heard from MongoDB for `patience` seconds is behind by its position, whatever it said before.
    """

    def __init__(
        self,
        vital: Callable[[], Vital],
        seen: Callable[[], Observation | None],
        *,
        patience: float,
        monotonic: Callable[[], float],
    ) -> None:
        self._vital = vital
        self._seen = seen
        self._patience = patience
        self._monotonic = monotonic
        self._lock = threading.Lock()

    def written(self) -> bytes:
        """All metrics of the process as Prometheus reads them."""
        with self._lock:
            self._set(self._vital(), self._seen(), self._monotonic())
            return process_metrics()

    def _set(self, vital: Vital, seen: Observation | None, monotonic: float) -> None:
        for gauge in (*OF_STREAMS, metrics.OPLOG_WINDOW):
            gauge.clear()
        for name, term in vital.terms.items():
            metrics.LEASE_TERM.labels(name).set(term)
        if seen is not None and seen.oplog is not None:
            metrics.OPLOG_WINDOW.labels(seen.clock.members).set(seen.oplog.window)
        for name, led in vital.streams.items():
            lag = lag_of(led, seen, self._patience, monotonic)
            if lag is not None:
                metrics.STREAM_LAG.labels(name).set(lag)
            if led.status.busy is not None:
                metrics.STREAM_BUSY.labels(name).set(led.status.busy)
            position = seen.positions.get(name) if seen is not None else None
            if seen is not None and position is not None:
                _set_position(name, position, seen, monotonic)


def _set_position(name: str, position: Timestamp, seen: Observation, monotonic: float) -> None:
    metrics.POSITION_AGE.labels(name).set(age_of(position, seen, monotonic))
    if seen.oplog is not None:
        left = seconds_to_loss(seen.oplog, position, pace=seen.pace)
        metrics.TIME_TO_HISTORY_LOST.labels(name).set(left)


def lag_of(led: Led, seen: Observation | None, patience: float, monotonic: float) -> float | None:
    """How far a stream is behind the cluster, in seconds; None while that is not known.

    A stream that is read says so itself. One that is not read falls behind, second by second, and cannot say so.
    """
    status = led.status
    fresh = status.polled_at is not None and monotonic - status.polled_at <= patience
    if fresh and status.state is not StreamState.PAUSED:
        return status.lag_seconds
    if status.time is None or seen is None:
        return None
    return max(status.lag_seconds or 0.0, age_of(status.time, seen, monotonic))


def age_of(time: Timestamp, seen: Observation, monotonic: float) -> float:
    """The server's time now minus a cluster time, in seconds."""
    return max(0.0, seen.clock.now(monotonic) - time.time)
