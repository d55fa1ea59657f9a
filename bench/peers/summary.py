"""From single turns to what is compared: medians with their range, and ratios."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

OURS: Final = "this system"
PEER: Final = "mongoclaw-1.0.4"
CEILING: Final = "celery"

SERVERS: Final = frozenset({"mongod", "broker", "model"})
COUNTED: Final = ("enriched", "lost", "doubled", "model_calls", "singles_unanswered")

Run = Mapping[str, Any]
Spread = dict[str, float]


def summarised(runs: Iterable[Run]) -> dict[str, dict[str, Any]]:
    """Sum up the turns of each system, in the order in which they first came."""
    turns: dict[str, list[Run]] = {}
    for run in runs:
        turns.setdefault(run["system"], []).append(run)
    return {system: _summary(its) for system, its in turns.items()}


def _summary(turns: Sequence[Run]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "turns": len(turns),
        "documents_per_second": spread(turn["documents_per_second"] for turn in turns),
        "own_cpu_ms_per_document": spread(own_cpu(turn) for turn in turns),
        "cpu_ms_per_document": spread(sum(turn["cpu_ms_per_document"].values()) for turn in turns),
        "rss_mb": spread(sum(turn["rss_mb"].values()) for turn in turns),
    }
    for name in COUNTED:
        if all(name in turn for turn in turns):
            found[name] = sum(turn[name] for turn in turns)
    if all("overhead_ms" in turn for turn in turns):
        found["overhead_ms"] = {
            name: spread(turn["overhead_ms"][name] for turn in turns) for name in ("p50", "p95")
        }
    return found


def own_cpu(turn: Run) -> float:
    """The CPU of a system's own processes, without MongoDB, broker and model."""
    return float(sum(spent for name, spent in turn["cpu_ms_per_document"].items() if name not in SERVERS))


def spread(values: Iterable[float]) -> Spread:
    """Give median, smallest and largest. Raises StatisticsError if there is no value."""
    ordered = sorted(values)
    return {
        "median": round(statistics.median(ordered), 2),
        "min": round(ordered[0], 2),
        "max": round(ordered[-1], 2),
    }


def ratios(summary: Mapping[str, Mapping[str, Any]], *, ideal: float) -> dict[str, float]:
    """Divide our documents a second by the peer's, by the ideal and by the ceiling, as far as measured."""
    rates = {system: its["documents_per_second"]["median"] for system, its in summary.items()}
    others = {"ours_by_peer": rates.get(PEER), "ours_by_ideal": ideal, "ours_by_ceiling": rates.get(CEILING)}
    return {name: round(rates[OURS] / other, 2) for name, other in others.items() if other and OURS in rates}
