"""What the watcher measures, declared once. Names and labels are documented in docs/reference/metrics.md."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

STREAM_LAG: Final = Gauge(
    "mongoclaw_stream_lag_seconds",
    "How far the stream is behind the cluster; absent until known, 0 when caught up.",
    ["stream"],
)
STREAM_BUSY: Final = Gauge(
    "mongoclaw_stream_busy_ratio",
    "Share of the last seconds that a reader did not wait for the server; near 1 for long: divide the stream.",
    ["stream"],
)
POSITION_AGE: Final = Gauge(
    "mongoclaw_stream_position_age_seconds", "Cluster time now minus that of the stored position.", ["stream"]
)
OPLOG_WINDOW: Final = Gauge(
    "mongoclaw_oplog_window_seconds",
    "How far back changes can be read; absent where the user may not read database local.",
    ["replica_set"],
)
TIME_TO_HISTORY_LOST: Final = Gauge(
    "mongoclaw_time_to_history_lost_seconds",
    "How long the stream may stand still before the oplog no longer holds its position.",
    ["stream"],
)
EVENTS: Final = Counter(
    "mongoclaw_stream_events_total",
    "Events read, by what became of them: matched, unmatched, self_write, filtered.",
    ["stream", "outcome"],
)
ROWS: Final = Counter(
    "mongoclaw_stream_rows_total",
    "Matched events by what the ledger did: queued, pending, known (recorded or coalesced before), shed (no room).",
    ["outcome"],
)
PUBLISH_SECONDS: Final = Histogram(
    "mongoclaw_publish_seconds", "How long one batched, confirmed publication to the broker took."
)
COMMIT_TO_BROKER_SECONDS: Final = Histogram(
    "mongoclaw_commit_to_broker_seconds",
    "From an event's wall time at the server to its message in the broker; of each publication's oldest event.",
    buckets=(0.002, 0.005, 0.01, 0.015, 0.025, 0.06, 0.1, 0.25, 1, 5, 30, 120),
)
GAPS: Final = Counter(
    "mongoclaw_stream_gaps_total",
    "Gaps that watchers put on record; those of `streams set-position` are not among them.",
    ["kind", "policy"],
)
LEASE_TERM: Final = Gauge("mongoclaw_lease_term", "Term of each lease that this process holds.", ["name"])
REOPENS: Final = Counter(
    "mongoclaw_stream_reopens_total", "Streams opened again, by the server's error code.", ["stream", "code"]
)
COLLECTION_EVENTS: Final = Counter(
    "mongoclaw_stream_collection_events_total",
    "What happened to watched collections: drop, rename, dropDatabase.",
    ["stream", "operation"],
)
POSITION_WRITES: Final = Counter("mongoclaw_position_writes_total", "Positions stored.", ["stream"])
BACKFILL_DOCUMENTS: Final = Counter(
    "mongoclaw_backfill_documents_total",
    "Documents that backfills read: recorded, current, known.",
    ["outcome"],
)

# Of the whole fleet, by the watcher that counts for it: sum them over all watchers, for another one may lead later.
DUE_ROWS: Final = Gauge(
    "mongoclaw_due_runs",
    "Runs that are due and wait for a place in the broker; beyond 10,000 not all.",
    ["agent"],
)
OLDEST_DUE: Final = Gauge(
    "mongoclaw_oldest_due_seconds", "How long the oldest of these has been due.", ["agent"]
)
QUEUE_AGE_P95: Final = Gauge(
    "mongoclaw_queue_age_p95_seconds", "What 95 % of the runs now at work had been due for when they began."
)
RUNS: Final = Counter(
    "mongoclaw_runs_total", "Runs that ended: completed, skipped, failed.", ["agent", "end"]
)
RUNS_IN_TIME: Final = Counter(
    "mongoclaw_runs_in_time_total", "Completed runs within MONGOCLAW_WORKER__LATENCY_SLO_MS.", ["agent"]
)
FAILURES: Final = Counter(
    "mongoclaw_failed_runs_total", "Failed runs, by the code of their error.", ["agent", "reason"]
)
MODEL_CALLS: Final = Counter("mongoclaw_model_calls_total", "Calls of models, failed ones too.", ["agent"])
TOKENS: Final = Counter("mongoclaw_tokens_total", "Tokens that these calls took.", ["agent"])
COST: Final = Counter("mongoclaw_cost_usd_total", "What calls cost whose price is known.", ["agent"])
UNPRICED_CALLS: Final = Counter(
    "mongoclaw_unpriced_calls_total", "Calls whose price is not known.", ["agent"]
)
DEAD_LETTERS: Final = Gauge(
    "mongoclaw_dead_letters",
    "Dead letters by agent and reason, of the whole fleet; messages that are no run have no agent.",
    ["agent", "reason"],
)
