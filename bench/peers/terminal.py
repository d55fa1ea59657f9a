"""The comparison as a table for a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from bench.peers.summary import Spread

HEADERS: Final = (
    "system",
    "documents/s",
    "enriched",
    "lost",
    "doubled",
    "CPU ms/doc, own",
    "with servers",
    "memory MB",
    "overhead p50 ms",
    "p95 ms",
)
RATIOS: Final = {
    "ours_by_peer": "this system ÷ MongoClaw 1.0.4",
    "ours_by_ideal": "this system ÷ ideal",
    "ours_by_ceiling": "this system ÷ plain Celery",
}
NOT_MEASURED: Final = "-"


def comparison(result: Mapping[str, Any]) -> str:
    """The table and the ratios below it."""
    rows = [HEADERS, *(_row(system, its) for system, its in result["summary"].items())]
    ideal = result["ideal_documents_per_second"]
    told = (
        f"{result['documents']:,} documents at once, {result['slots']} slots, model latency "
        f"{result['model_latency_ms']} ms, {result['cores']} cores, ideal {ideal:g}/s; median (least to most)"
    )
    lines = [
        told,
        "",
        *_aligned(rows),
        "",
        *(f"{RATIOS[name]}: {ratio:.2f}" for name, ratio in result["ratios"].items()),
    ]
    return "\n".join(lines)


def _row(system: str, its: Mapping[str, Any]) -> tuple[str, ...]:
    overhead = its.get("overhead_ms", {})
    return (
        system,
        shown(its["documents_per_second"]),
        *(f"{its[name]:,}" if name in its else NOT_MEASURED for name in ("enriched", "lost", "doubled")),
        shown(its["own_cpu_ms_per_document"]),
        shown(its["cpu_ms_per_document"]),
        shown(its["rss_mb"]),
        *(shown(overhead.get(name)) for name in ("p50", "p95")),
    )


def shown(spread: Spread | None) -> str:
    """A median with its range, if it has one."""
    if spread is None:
        return NOT_MEASURED
    median, least, most = (f"{spread[name]:.1f}" for name in ("median", "min", "max"))
    return median if least == most else f"{median} ({least} to {most})"


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
