"""Statistics as people and programs read them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from executions_app.cost import cost_text, usd
from executions_app.histogram import quantile
from executions_app.live import Live, PutOff
from executions_app.stats import By, Stats
from executions_app.tally import Tally

QUANTILES: Final = {"p50": 0.50, "p95": 0.95, "p99": 0.99}


def stats_json(stats: Stats, *, by: By) -> dict[str, Any]:
    """Return all sums; the parts are under `agents`, `hours` or `reasons`, each with its name."""
    parts = [{by.value: name, **tally_json(tally)} for name, tally in stats.parts.items()]
    if by is By.REASON:
        parts = [{"reason": code, "end": end, "runs": runs} for code, end, runs in reasons(stats.total)]
    return {
        "since": stats.since,
        "counted_until": stats.counted_until,
        "total": tally_json(stats.total),
        f"{by.value}s": parts,
    }


def tally_json(tally: Tally) -> dict[str, Any]:
    """Return sums with their quantiles. Durations are in milliseconds; what is not known is null."""
    completed = tally.ends["completed"]
    return {
        "runs": tally.ends.total(),
        "completed": completed,
        "skipped": tally.ends["skipped"],
        "failed": tally.ends["failed"],
        "latency_ms": quantiles(tally.latency),
        "running_ms": quantiles(tally.running),
        "queue_age_ms": quantiles(tally.waiting),
        "within_slo": tally.within_slo / completed if completed else None,
        "failures": _ranked(tally.failures),
        "skips": _ranked(tally.skips),
        "model_calls": tally.model_calls,
        "tokens": tally.tokens,
        "cost_usd": usd(tally.cost_nanousd),
        "unpriced_calls": tally.unpriced_calls,
    }


def live_json(live: Live, later: Mapping[str, PutOff]) -> dict[str, Any]:
    """Return how it stands at this moment: what is due, and under `put_off` what waits for its time.

    Ages are in milliseconds; a number that is `at_least` was not counted on.
    """
    return {
        "queue_age_p95_ms": live.queue_age_p95_ms,
        "agents": [
            {
                "agent": agent,
                "due": line.due,
                "at_least": line.at_least,
                "oldest_due_at": line.oldest,
                "oldest_due_ms": line.age_ms,
            }
            for agent, line in live.agents.items()
        ],
        "put_off": [
            {"agent": agent, "rows": line.rows, "at_least": line.at_least, "next_due_at": line.next_due}
            for agent, line in later.items()
        ],
    }


def quantiles(histogram: Mapping[int, int]) -> dict[str, float | None]:
    """Return the usual quantiles of a histogram, in milliseconds, estimated."""
    found = {name: quantile(histogram, share) for name, share in QUANTILES.items()}
    return {name: None if value is None else round(value, 1) for name, value in found.items()}


def spent(tally: Tally) -> str | None:
    """Tell what calls cost; those whose price nobody knows are told, and are no zeros. None where there were none."""
    if not tally.model_calls:
        return None
    if tally.unpriced_calls == tally.model_calls:
        return "unknown"
    unknown = f" + {tally.unpriced_calls:,} unknown" if tally.unpriced_calls else ""
    return cost_text(tally.cost_nanousd) + unknown


def ranked(codes: Mapping[str, int]) -> list[tuple[str, int]]:
    """Order codes by how many runs carry them, the commonest first."""
    return sorted(codes.items(), key=lambda pair: (-pair[1], pair[0]))


def reasons(tally: Tally) -> list[tuple[str, str, int]]:
    """List why runs failed or were skipped: the code, the end, and how many; failures and the commonest first."""
    ends = (("failed", tally.failures), ("skipped", tally.skips))
    return [(code, end, runs) for end, codes in ends for code, runs in ranked(codes)]


def _ranked(codes: Mapping[str, int]) -> list[dict[str, Any]]:
    return [{"reason": code, "runs": runs} for code, runs in ranked(codes)]
