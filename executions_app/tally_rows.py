"""Tallies as they are kept: between the value and its row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from executions_app.models import AgentTotal, HourTally
from executions_app.states import Status
from executions_app.tally import Tally

COLUMNS: Final = (
    "completed",
    "skipped",
    "failed",
    "within_slo",
    "latency",
    "running",
    "running_ms",
    "waiting",
    "failures",
    "skips",
    "model_calls",
    "tokens",
    "cost_nanousd",
    "unpriced_calls",
)


def tally_of(row: HourTally | AgentTotal) -> Tally:
    """Read a row."""
    ends = {status: getattr(row, status) for status in _ENDS}
    return Tally(
        ends=Counter({str(status): number for status, number in ends.items() if number}),
        within_slo=row.within_slo,
        latency=_histogram(row.latency),
        running=_histogram(row.running),
        running_ms=row.running_ms,
        waiting=_histogram(row.waiting),
        failures=Counter(row.failures),
        skips=Counter(row.skips),
        model_calls=row.model_calls,
        tokens=row.tokens,
        cost_nanousd=row.cost_nanousd,
        unpriced_calls=row.unpriced_calls,
    )


def added(row: HourTally | None, key: tuple[datetime, str], more: Tally) -> HourTally:
    """Return the row of an hour and an agent with more added: the one that there is, or a new one."""
    hour, agent_id = key
    return HourTally(hour=hour, agent_id=agent_id, **columns_of(_sum(row, more)))


def added_to_total(row: AgentTotal | None, agent_id: str, more: Tally) -> AgentTotal:
    """Return the row of all that was counted of an agent with more added."""
    return AgentTotal(agent_id=agent_id, **columns_of(_sum(row, more)))


def _sum(row: HourTally | AgentTotal | None, more: Tally) -> Tally:
    total = Tally() if row is None else tally_of(row)
    total.add(more)
    return total


def columns_of(tally: Tally) -> dict[str, object]:
    """Return a tally's sums as columns. Nothing is kept of a kind of end that has none."""
    return {
        **{str(status): tally.ends[status] for status in _ENDS},
        "within_slo": tally.within_slo,
        "latency": _plain(tally.latency),
        "running": _plain(tally.running),
        "running_ms": tally.running_ms,
        "waiting": _plain(tally.waiting),
        "failures": dict(tally.failures),
        "skips": dict(tally.skips),
        "model_calls": tally.model_calls,
        "tokens": tally.tokens,
        "cost_nanousd": tally.cost_nanousd,
        "unpriced_calls": tally.unpriced_calls,
    }


_ENDS: Final = (Status.COMPLETED, Status.SKIPPED, Status.FAILED)


def _histogram(kept: Mapping[str, int]) -> Counter[int]:
    return Counter({int(bucket): number for bucket, number in kept.items()})


def _plain(histogram: Mapping[int, int]) -> dict[str, int]:
    return {str(bucket): histogram[bucket] for bucket in sorted(histogram)}
