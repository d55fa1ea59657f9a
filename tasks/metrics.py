"""The instruments of a worker, and what a run's end adds to them."""

from __future__ import annotations

from typing import Final

from executions_app.metrics.declared import work
from executions_app.metrics.ended import ENDS
from executions_app.metrics.names import agent_label
from executions_app.run import Claimed, Postponement, Settlement
from executions_app.states import Reason

POLICY_DECISIONS: Final = work.POLICY_DECISIONS.counter()
CONCURRENCY_WAITS: Final = work.CONCURRENCY_WAITS.counter()
RETRIES: Final = work.RETRIES.counter()
DEFERRALS: Final = work.DEFERRALS.counter()
REPLAYED: Final = work.REPLAYED.counter()
QUARANTINES: Final = work.QUARANTINES.counter()
CIRCUIT_FAILURES: Final = work.CIRCUIT_FAILURES.counter()
PROCESSED: Final = work.PROCESSED.counter()
RUN_SECONDS: Final = work.RUN_SECONDS.histogram()

DEFERRED: Final = "deferred"
_TIMEOUTS: Final = frozenset({"provider_timeout", "run_deadline"})


def count(run: Claimed, end: Settlement | Postponement, *, seconds: float) -> None:
    """Count a run that held a thread for so many seconds, and that was put off if it was."""
    RUN_SECONDS.observe(max(0.0, seconds))
    if isinstance(end, Settlement):
        return
    agent = agent_label(run.agent_id)
    if end.burns_attempt:
        RETRIES.labels(agent, "timeout" if end.error_type in _TIMEOUTS else "failure").inc()
        return
    DEFERRALS.labels(agent, str(end.reason)).inc()
    if end.reason == Reason.CONCURRENCY_LIMIT:
        CONCURRENCY_WAITS.labels(agent).inc()


def processed(queue: str, end: Settlement | Postponement) -> None:
    """Count a message of a queue that became a run."""
    status = ENDS[end.status] if isinstance(end, Settlement) else DEFERRED
    PROCESSED.labels(queue, status).inc()
