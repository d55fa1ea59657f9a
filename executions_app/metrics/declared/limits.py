"""What holds calls up, as Redis knows it."""

from __future__ import annotations

from typing import Final

from executions_app.metrics.metric import Kind, Metric, Source

CIRCUIT: Final = Metric(
    "circuit_breaker_state",
    Kind.GAUGE,
    Source.FLEET,
    "0 closed, 1 half-open, 2 open. `name` is a provider's account.",
    ("name",),
    contract=True,
)
QUARANTINED: Final = Metric(
    "agent_quarantine_active",
    Kind.GAUGE,
    Source.FLEET,
    "1 while an agent is in quarantine, else 0.",
    ("agent_id",),
    contract=True,
)
PAUSED: Final = Metric(
    "calls_paused_seconds",
    Kind.GAUGE,
    Source.FLEET,
    "How long a pause has still to go: `mongoclaw limits list`.",
    ("name", "reason"),
)
REACHED: Final = Metric(
    "agent_limit_reached",
    Kind.GAUGE,
    Source.FLEET,
    "1 while a limit of an agent's own lets no call begin.",
    ("agent_id", "reason"),
)
