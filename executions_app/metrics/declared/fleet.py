"""What SQL knows of the fleet. Counters of what ended come from the totals, so that no restart resets them."""

from __future__ import annotations

from typing import Final

from executions_app.metrics.metric import Kind, Metric, Source

AGENTS: Final = Metric(
    "agents_total",
    Kind.GAUGE,
    Source.FLEET,
    "Agents that are not deleted: enabled, disabled, and enabled but unhealthy.",
    ("status",),
    contract=True,
)
EXECUTIONS: Final = Metric(
    "agent_executions_total",
    Kind.COUNTER,
    Source.FLEET,
    "Runs that ended: success (completed), failure, skipped.",
    ("agent_id", "status"),
    contract=True,
)
DURATION: Final = Metric(
    "agent_execution_duration_seconds",
    Kind.HISTOGRAM,
    Source.FLEET,
    "Completed runs, from their last claim to their end. Kept in finer buckets, so these are estimates.",
    ("agent_id",),
    (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
    contract=True,
)
LATENCY: Final = Metric(
    "run_latency_seconds",
    Kind.HISTOGRAM,
    Source.FLEET,
    "Completed runs, from the event on record to their end. The sum is an estimate.",
    ("agent_id",),
    (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800),
)
WAITED: Final = Metric(
    "queue_age_seconds",
    Kind.HISTOGRAM,
    Source.FLEET,
    "How long runs had been due when they began. The sum is an estimate.",
    ("agent_id",),
    (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800),
)
SLO_VIOLATIONS: Final = Metric(
    "agent_latency_slo_violations_total",
    Kind.COUNTER,
    Source.FLEET,
    "Completed runs that took longer than MONGOCLAW_WORKER__LATENCY_SLO_MS.",
    ("agent_id",),
    contract=True,
)
FAILED_RUNS: Final = Metric(
    "failed_runs_total",
    Kind.COUNTER,
    Source.FLEET,
    "Runs that failed, by the code of their error.",
    ("agent_id", "reason"),
)
SKIPPED_RUNS: Final = Metric(
    "skipped_runs_total", Kind.COUNTER, Source.FLEET, "Skipped runs by their reason.", ("agent_id", "reason")
)
LOOP_GUARD: Final = Metric(
    "loop_guard_skips_total",
    Kind.COUNTER,
    Source.FLEET,
    "Runs that ended as max_hops. An agent's own writes start none: stream_events_total has them as self_write.",
    ("agent_id",),
    contract=True,
)
SHADOW_SKIPS: Final = Metric(
    "shadow_writes_skipped_total",
    Kind.COUNTER,
    Source.FLEET,
    "Runs that did all but the write: shadow mode, or a policy in simulation mode.",
    ("agent_id",),
    contract=True,
)
VERSION_CONFLICTS: Final = Metric(
    "version_conflicts_total",
    Kind.COUNTER,
    Source.FLEET,
    "Runs that ended as strict_version_conflict; with on_conflict rerun they run again and are deferrals.",
    ("agent_id",),
    contract=True,
)
HASH_CONFLICTS: Final = Metric(
    "hash_conflicts_total",
    Kind.COUNTER,
    Source.FLEET,
    "Runs that ended as hash_conflict, likewise.",
    ("agent_id",),
    contract=True,
)
MODEL_CALLS: Final = Metric(
    "agent_model_calls_total",
    Kind.COUNTER,
    Source.FLEET,
    "Calls of models, failed ones too.",
    ("agent_id",),
)
TOKENS: Final = Metric(
    "agent_tokens_total", Kind.COUNTER, Source.FLEET, "Tokens that these calls took.", ("agent_id",)
)
COST: Final = Metric(
    "agent_cost_usd_total", Kind.COUNTER, Source.FLEET, "What calls cost whose price is known.", ("agent_id",)
)
UNPRICED_CALLS: Final = Metric(
    "agent_unpriced_calls_total",
    Kind.COUNTER,
    Source.FLEET,
    "Calls whose price is not known.",
    ("agent_id",),
)

RUNS: Final = Metric(
    "runs",
    Kind.GAUGE,
    Source.FLEET,
    "Runs that have not ended: pending (beyond 50,000 not all), queued, running.",
    ("status",),
)
DUE_RUNS: Final = Metric(
    "due_runs",
    Kind.GAUGE,
    Source.FLEET,
    "Runs that are due and wait for a place in the broker; beyond 10,000 of a priority not all.",
    ("agent_id",),
)
OLDEST_DUE: Final = Metric(
    "oldest_due_seconds",
    Kind.GAUGE,
    Source.FLEET,
    "How long the oldest of these has been due.",
    ("agent_id",),
)
QUEUE_AGE_P95: Final = Metric(
    "queue_age_p95_seconds",
    Kind.GAUGE,
    Source.FLEET,
    "What 95 % of the runs now at work had been due for when they began; 0 while none is.",
)
STREAM_PENDING: Final = Metric(
    "agent_stream_pending",
    Kind.GAUGE,
    Source.FLEET,
    "Messages of an agent in the broker that no worker has taken. `stream` is the queue.",
    ("agent_id", "stream"),
    contract=True,
)
STREAM_INFLIGHT: Final = Metric(
    "agent_stream_inflight",
    Kind.GAUGE,
    Source.FLEET,
    "Runs of an agent at work. `stream` is the queue that their messages go into.",
    ("agent_id", "stream"),
    contract=True,
)
QUEUE_SIZE: Final = Metric(
    "queue_size", Kind.GAUGE, Source.FLEET, "Messages in a queue of the broker.", ("queue",), contract=True
)
QUEUE_PENDING: Final = Metric(
    "queue_pending",
    Kind.GAUGE,
    Source.FLEET,
    "Runs at work, by the queue that they came from. `consumer_group` is MONGOCLAW_REDIS__CONSUMER_GROUP.",
    ("queue", "consumer_group"),
    contract=True,
)
FULLNESS: Final = Metric(
    "dispatch_queue_fullness",
    Kind.GAUGE,
    Source.FLEET,
    "Share of the fleet's places, MONGOCLAW_WORKER__WINDOW_PER_SLOT for each thread, that a queue's runs take.",
    ("stream",),
    contract=True,
)
WORKERS: Final = Metric(
    "workers_active",
    Kind.GAUGE,
    Source.FLEET,
    "Worker processes that give signs of life. `pool` is threads, or single for those that do one run at a time.",
    ("pool",),
    contract=True,
)
WORKER_SLOTS: Final = Metric("worker_slots", Kind.GAUGE, Source.FLEET, "Runs that these can do at a time.")
PROCESSING: Final = Metric(
    "worker_processing",
    Kind.GAUGE,
    Source.FLEET,
    "Runs at work, by the pool of their worker.",
    ("pool",),
    contract=True,
)
DEAD_LETTERS: Final = Metric(
    "dead_letters",
    Kind.GAUGE,
    Source.FLEET,
    "Dead letters that wait for somebody; messages that are no run have no agent. Beyond 200 kinds the rest is _other.",
    ("agent_id", "reason"),
)
DLQ_SIZE: Final = Metric(
    "dlq_size", Kind.GAUGE, Source.FLEET, "All dead letters that wait for somebody.", contract=True
)
GAPS: Final = Metric(
    "gaps",
    Kind.GAUGE,
    Source.FLEET,
    "Gaps that are not closed: open, backfilling.",
    ("agent_id", "status"),
)
LEADERSHIP: Final = Metric(
    "leadership_term",
    Kind.GAUGE,
    Source.FLEET,
    "Highest term under which somebody has led; it grows with each takeover.",
    ("name",),
)
SOURCE_UP: Final = Metric(
    "scrape_source_up",
    Kind.GAUGE,
    Source.FLEET,
    "Whether sql, redis and mongodb answered for this scrape; the metrics of one that did not are absent. "
    "Without SQL the others are not asked, and have no value.",
    ("source",),
)
