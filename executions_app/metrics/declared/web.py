"""What the web server counts of itself."""

from __future__ import annotations

from typing import Final

from executions_app.metrics.metric import Kind, Metric, Source

REQUESTS: Final = Metric(
    "http_requests_total",
    Kind.COUNTER,
    Source.WEB,
    "Requests. `endpoint` is the pattern of the address, _unmatched where there is none.",
    ("method", "endpoint", "status"),
    contract=True,
)
SECONDS: Final = Metric(
    "http_request_duration_seconds",
    Kind.HISTOGRAM,
    Source.WEB,
    "How long they took.",
    ("method", "endpoint"),
    (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
    contract=True,
)
STREAM_LAG: Final = Metric(
    "change_stream_lag_seconds",
    Kind.GAUGE,
    Source.FLEET,
    "How far the streams of a watched collection are behind, as their watchers said last; absent until known.",
    ("database", "collection"),
    contract=True,
)
STREAM_STATE: Final = Metric(
    "stream_state",
    Kind.GAUGE,
    Source.FLEET,
    "1 for the state that a stream is in; unwatched is one that nobody reads.",
    ("stream", "state"),
)
WATCHERS: Final = Metric("watchers_active", Kind.GAUGE, Source.FLEET, "Watchers that live, standbys too.")
