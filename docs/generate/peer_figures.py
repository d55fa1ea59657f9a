"""What the bench found out beside MongoClaw 1.0.4 and plain Celery: a chart, a table, a sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from docs.generate.markdown import table

_COLUMNS: Final = (
    "system",
    "documents/s, median (range)",
    "enriched, lost, called twice",
    "CPU per document, with MongoDB, Valkey and model",
    "memory of all its processes",
    "overhead of a single document",
)

Result = Mapping[str, Any]


def peer_figures(results: Mapping[str, Result], source: Path, root: Path) -> Sequence[str]:
    """The paragraphs on the comparison in the record `source`; none if it holds none."""
    if "peers" not in results:
        return []
    result = results["peers"]
    lead = (
        f"Beside MongoClaw 1.0.4 and plain Celery, whose tasks only sleep, in one run on the same servers: "
        f"{result['documents']:,} documents at once, {result['slots']} slots, model latency "
        f"{result['model_latency_ms']} ms, so {result['ideal_documents_per_second']:g} documents/s at the very most."
    )
    chart = source.with_name(f"{source.stem}-peers.svg")
    picture = f"![Documents a second of each system]({chart.relative_to(root).as_posix()})"
    rows = [_row(system, its) for system, its in result["summary"].items()]
    parts = [lead, *([picture] if chart.exists() else []), table(_COLUMNS, rows), _ratios(result["ratios"])]
    return [part for part in parts if part]


def _row(system: str, its: Result) -> tuple[str, ...]:
    counted = ", ".join(f"{its[name]:,}" for name in ("enriched", "lost", "doubled") if name in its)
    spent = its.get("overhead_ms")
    return (
        system,
        _spread(its["documents_per_second"]),
        counted or "no documents",
        f"{its['cpu_ms_per_document']['median']:.1f} ms",
        f"{its['rss_mb']['median']:.0f} MB",
        f"p50 {spent['p50']['median']:.1f} ms, p95 {spent['p95']['median']:.1f} ms"
        if spent
        else "no documents",
    )


def _spread(spread: Result) -> str:
    median, least, most = (f"{spread[name]:.1f}" for name in ("median", "min", "max"))
    return median if least == most else f"{median} ({least} to {most})"


def _ratios(ratios: Mapping[str, float]) -> str:
    told = {
        "ours_by_peer": "{:.1f} times MongoClaw 1.0.4",
        "ours_by_ceiling": "{:.0%} of plain Celery",
        "ours_by_ideal": "{:.0%} of the ideal",
    }
    parts = [words.format(ratios[name]) for name, words in told.items() if name in ratios]
    return f"This system's documents a second are {', '.join(parts)}." if parts else ""
