"""What workers count. They forget it when they end: use rate() and increase(), summed over all of them."""

from __future__ import annotations

from typing import Final

from executions_app.metrics.metric import Kind, Metric, Source

POLICY_DECISIONS: Final = Metric(
    "policy_decisions_total",
    Kind.COUNTER,
    Source.WORKER,
    "Decisions of policies; `matched` is true or false. An agent without a policy has none.",
    ("agent_id", "action", "matched"),
    contract=True,
)
CONCURRENCY_WAITS: Final = Metric(
    "agent_concurrency_waits_total",
    Kind.COUNTER,
    Source.WORKER,
    "Runs that were put off because max_concurrency was reached. Most wait in SQL before a worker sees them.",
    ("agent_id",),
    contract=True,
)
RETRIES: Final = Metric(
    "retries_scheduled_total",
    Kind.COUNTER,
    Source.WORKER,
    "Tries that failed and are made again: timeout, failure.",
    ("agent_id", "reason"),
    contract=True,
)
DEFERRALS: Final = Metric(
    "deferrals_total",
    Kind.COUNTER,
    Source.WORKER,
    "Runs that were put off without burning an attempt, by reason.",
    ("agent_id", "reason"),
)
REPLAYED: Final = Metric(
    "replayed_deliveries_total",
    Kind.COUNTER,
    Source.WORKER,
    "Messages that came again or too late: their run was taken, or at its end, and nothing happened.",
    ("agent_id",),
    contract=True,
)
QUARANTINES: Final = Metric(
    "agent_quarantine_events_total",
    Kind.COUNTER,
    Source.WORKER,
    "Quarantines that began with a failure of this worker.",
    ("agent_id",),
    contract=True,
)
CIRCUIT_FAILURES: Final = Metric(
    "circuit_breaker_failures_total",
    Kind.COUNTER,
    Source.WORKER,
    "Calls that failed in a way that counts against the provider's circuit. `name` is its account.",
    ("name",),
    contract=True,
)
PROCESSED: Final = Metric(
    "queue_processed_total",
    Kind.COUNTER,
    Source.WORKER,
    "Messages that became a run, by its end: success, failure, skipped, or deferred for one that is put off.",
    ("queue", "status"),
    contract=True,
)
RUN_SECONDS: Final = Metric(
    "worker_run_seconds",
    Kind.HISTOGRAM,
    Source.WORKER,
    "How long runs held a thread of this worker, however they ended.",
    (),
    (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
)
