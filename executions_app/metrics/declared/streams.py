"""What a watcher knows of its streams. The gauges of a stream are at the watcher that leads it and move with it."""

from __future__ import annotations

from typing import Final

from executions_app.metrics.metric import Kind, Metric, Source

LAG: Final = Metric(
    "stream_lag_seconds",
    Kind.GAUGE,
    Source.WATCHER,
    "How far the stream is behind the cluster; absent until known, 0 when caught up.",
    ("stream",),
)
BUSY: Final = Metric(
    "stream_busy_ratio",
    Kind.GAUGE,
    Source.WATCHER,
    "Share of the last seconds that a reader did not wait for the server; near 1 for long: divide the stream.",
    ("stream",),
)
POSITION_AGE: Final = Metric(
    "stream_position_age_seconds",
    Kind.GAUGE,
    Source.WATCHER,
    "Cluster time now minus that of the stored position, which is the checkpoint.",
    ("stream",),
)
OPLOG_WINDOW: Final = Metric(
    "oplog_window_seconds",
    Kind.GAUGE,
    Source.WATCHER,
    "How far back changes can be read; absent where the user may not read database local.",
    ("replica_set",),
)
TIME_TO_HISTORY_LOST: Final = Metric(
    "time_to_history_lost_seconds",
    Kind.GAUGE,
    Source.WATCHER,
    "How long the stream may stand still before the oplog no longer holds its position.",
    ("stream",),
)
EVENTS: Final = Metric(
    "stream_events_total",
    Kind.COUNTER,
    Source.WATCHER,
    "Events read, by what became of them: matched, unmatched, self_write, filtered.",
    ("stream", "outcome"),
)
CHANGES: Final = Metric(
    "change_events_total",
    Kind.COUNTER,
    Source.WATCHER,
    "Events read of watched collections, whether or not an agent wants them.",
    ("database", "collection", "operation"),
    contract=True,
)
ROWS: Final = Metric(
    "stream_rows_total",
    Kind.COUNTER,
    Source.WATCHER,
    "Matched events by what the ledger did: queued, pending, known (recorded or coalesced before), shed (no room).",
    ("outcome",),
)
ADMISSION: Final = Metric(
    "dispatch_admission_total",
    Kind.COUNTER,
    Source.WATCHER,
    "Changes not sent to the broker at once: defer (waits in SQL), drop and dlq (ended under pressure). Agents of high "
    "priority are not asked and nothing is forced, so priority_bypass and defer_forced_enqueue do not occur.",
    ("agent_id", "stream", "decision"),
    contract=True,
)
ROUTED: Final = Metric(
    "dispatch_routed_total",
    Kind.COUNTER,
    Source.WATCHER,
    "Messages published, by routing strategy and queue.",
    ("strategy", "stream"),
    contract=True,
)
STARVATION: Final = Metric(
    "agent_stream_starvation_cycles_total",
    Kind.COUNTER,
    Source.WATCHER,
    "Rounds of dispatch in which an agent's due runs got no place though no limit of its own held them.",
    ("agent_id", "stream"),
    contract=True,
)
SATURATION: Final = Metric(
    "agent_stream_saturation_skips_total",
    Kind.COUNTER,
    Source.WATCHER,
    "Rounds of dispatch in which an agent's due runs waited for its own window or limits.",
    ("agent_id", "stream"),
    contract=True,
)
PUBLISH_SECONDS: Final = Metric(
    "publish_seconds",
    Kind.HISTOGRAM,
    Source.WATCHER,
    "How long one batched, confirmed publication to the broker took.",
)
COMMIT_TO_BROKER: Final = Metric(
    "commit_to_broker_seconds",
    Kind.HISTOGRAM,
    Source.WATCHER,
    "From an event's wall time at the server to its message in the broker; of each publication's oldest event.",
    (),
    (0.002, 0.005, 0.01, 0.015, 0.025, 0.06, 0.1, 0.25, 1, 5, 30, 120),
)
GAPS: Final = Metric(
    "stream_gaps_total",
    Kind.COUNTER,
    Source.WATCHER,
    "Gaps that watchers put on record; those of `streams set-position` are not among them.",
    ("kind", "policy"),
)
LEASE_TERM: Final = Metric(
    "lease_term", Kind.GAUGE, Source.WATCHER, "Term of each lease that this process holds.", ("name",)
)
REOPENS: Final = Metric(
    "stream_reopens_total",
    Kind.COUNTER,
    Source.WATCHER,
    "Streams opened again, by the server's error code.",
    ("stream", "code"),
)
COLLECTION_EVENTS: Final = Metric(
    "stream_collection_events_total",
    Kind.COUNTER,
    Source.WATCHER,
    "What happened to watched collections: drop, rename, dropDatabase.",
    ("stream", "operation"),
)
POSITION_WRITES: Final = Metric(
    "position_writes_total", Kind.COUNTER, Source.WATCHER, "Positions stored.", ("stream",)
)
BACKFILL_DOCUMENTS: Final = Metric(
    "backfill_documents_total",
    Kind.COUNTER,
    Source.WATCHER,
    "Documents that backfills read: recorded, current, known.",
    ("outcome",),
)
