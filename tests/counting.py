"""Counting the ledger to its end, as the upkeep does in time."""

from __future__ import annotations

from datetime import datetime

from executions_app import counting
from executions_app.fence import Term
from tests.conditions import eventually


def count_all(*, now: datetime, slo_ms: float = 3_000, term: Term | None = None) -> None:
    """Count until nothing is left. On PostgreSQL transactions of tests beside this one are waited for."""

    def is_done() -> bool:
        if counting.waits_for_others():
            return False
        return not counting.step(slo_ms=slo_ms, now=now, term=term).more

    eventually(is_done, every=0.005)
