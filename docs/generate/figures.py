"""The figures of the README: those of one file of `bench/results`, and no others."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from docs.generate.limit_figures import limit_figures
from docs.generate.markdown import table
from docs.generate.peer_figures import peer_figures
from docs.generate.watcher_figures import watcher_figures

ROOT: Final = Path(__file__).parents[2]
BEGIN: Final = "<!-- figures -->"
END: Final = "<!-- end of figures -->"
_NONE: Final = (
    "No figures are kept yet; `make bench` measures throughput, latency and memory on your machine."
)


def newest() -> Path | None:
    """The newest file of results, by its name, which is a date."""
    return max((ROOT / "bench/results").glob("*.json"), default=None)


def source_of(text: str) -> Path | None:
    """The file that the figures in a text come from."""
    named = re.search(r"bench/results/[\w.-]+\.json", block(text))
    return ROOT / named[0] if named else None


def block(text: str) -> str:
    """What stands between the marks."""
    return text.partition(BEGIN)[2].partition(END)[0]


def with_figures(text: str, source: Path | None) -> str:
    """The text with the figures of `source` between the marks."""
    body = _NONE if source is None else figures(source)
    return f"{text.partition(BEGIN)[0]}{BEGIN}\n{body}\n{END}{text.partition(END)[2]}"


def figures(source: Path) -> str:
    """A sentence on where the figures come from, and a table of them."""
    record = json.loads(source.read_text(encoding="utf-8"))
    name = source.relative_to(ROOT).as_posix()
    lead = (
        f"Measured by `make bench` on {record['cores']} cores that also carried MongoDB, Valkey and the "
        f"model, with Python {record['python']}; the record is [{name}]({name})."
    )
    results = record["results"]
    runs = [_throughput(scenario, result) for scenario, result in results.items() if "workers" in result]
    columns = (
        "scenario",
        "documents/s",
        "worker processes, threads each",
        "CPU per document",
        "memory of a process",
    )
    parts = [lead, *([table(columns, runs)] if runs else [])]
    if "latency" in results:
        parts.append(_latency(results["latency"]))
    parts += [*peer_figures(results, source, ROOT), *limit_figures(results), *watcher_figures(results)]
    return "\n\n".join(parts)


def _throughput(scenario: str, result: Mapping[str, Any]) -> tuple[str, ...]:
    workers = result["workers"]
    memory = result["rss_mb"]
    largest = max(size for name, size in memory.items() if name.startswith("worker"))
    return (
        f"`{scenario}`: {result['documents']:,} documents at once, model latency 200 ms",
        str(result["documents_per_second"]),
        f"{workers}, {result['slots'] // workers}",
        f"{sum(result['cpu_ms_per_document'].values()):.1f} ms, all processes together",
        f"watcher {memory['watcher']} MB, worker {largest} MB, web {memory['web']} MB",
    )


def _latency(result: Mapping[str, Any]) -> str:
    spent = result["overhead_ms"]
    return (
        f"One document at a time, from the insert to the visible answer, without the model's own time: "
        f"p50 {spent['p50']} ms, p95 {spent['p95']} ms, longest {spent['max']} ms of {result['documents']}."
    )
