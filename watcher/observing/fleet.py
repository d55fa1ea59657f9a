"""What the leader of the upkeep tells Prometheus of the whole fleet: the queue as it stands, and what was counted."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from executions_app.cost import NANO
from executions_app.live import Live
from executions_app.tally import Tally
from watcher.observing import metrics

NEWS: Final = timedelta(hours=2)
"""Hours that began longer ago are history which is counted for the first time, and would look like a burst."""

_MILLISECONDS: Final = 1000


def see(live: Live) -> None:
    """Show what waits: an agent for which nothing does leaves no gauge behind."""
    forget()
    for agent, waiting in live.agents.items():
        metrics.DUE_ROWS.labels(agent).set(waiting.due)
        metrics.OLDEST_DUE.labels(agent).set(waiting.age_ms / _MILLISECONDS)
    metrics.QUEUE_AGE_P95.set((live.queue_age_p95_ms or 0.0) / _MILLISECONDS)


def forget() -> None:
    """Show no queue: another watcher sees it now."""
    metrics.QUEUE_AGE_P95.set(0.0)
    for gauge in (metrics.DUE_ROWS, metrics.OLDEST_DUE):
        gauge.clear()


def count(tallies: Mapping[tuple[datetime, str], Tally], *, now: datetime) -> None:
    """Let the counters grow by what one step has counted, by hour and agent."""
    for (hour, agent), tally in tallies.items():
        if now - hour <= NEWS:
            _count(agent, tally)


def _count(agent: str, tally: Tally) -> None:
    for end, runs in tally.ends.items():
        metrics.RUNS.labels(agent, end).inc(runs)
    for reason, runs in tally.failures.items():
        metrics.FAILURES.labels(agent, reason).inc(runs)
    metrics.RUNS_IN_TIME.labels(agent).inc(tally.within_slo)
    metrics.MODEL_CALLS.labels(agent).inc(tally.model_calls)
    metrics.TOKENS.labels(agent).inc(tally.tokens)
    metrics.COST.labels(agent).inc(tally.cost_nanousd / NANO)
    metrics.UNPRICED_CALLS.labels(agent).inc(tally.unpriced_calls)
