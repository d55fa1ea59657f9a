"""What the bench found out about the watcher, in sentences and a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from docs.generate.markdown import table

_DRAINS: Final = {
    "watcher-published": "rows in SQLite and messages in Valkey",
    "watcher-deferred": "rows in SQLite that wait",
    "watcher-published-postgres": "rows in PostgreSQL and messages in Valkey",
    "watcher-deferred-postgres": "rows in PostgreSQL that wait",
}

Result = Mapping[str, Any]


def watcher_figures(results: Mapping[str, Result]) -> Sequence[str]:
    """The paragraphs on what is in the results; none if nothing is."""
    parts = []
    drains = [_drain(what, results[name]) for name, what in _DRAINS.items() if name in results]
    if drains:
        parts.append(
            table(
                ("one watcher catches up", "events/s", "a cursor that is only read", "CPU per event"), drains
            )
        )
    sentences = (
        _latency(results.get("watcher-latency")),
        _idle(results.get("watcher-idle")),
        _memory(results.get("watcher-memory-million") or results.get("watcher-memory")),
    )
    return [*parts, *(sentence for sentence in sentences if sentence)]


def _drain(what: str, result: Result) -> tuple[str, ...]:
    return (
        what,
        f"{result['events_per_second']:,}",
        f"{result['raw_cursor_events_per_second']:,}/s",
        f"{result['watcher_cpu_ms_per_1000_events']:.0f} µs",
    )


def _latency(result: Result | None) -> str:
    if result is None:
        return ""
    spent = result["insert_to_broker_ms"]
    return (
        f"From an insert to its message in the broker at {result['documents_per_second']} changes a second: "
        f"p50 {spent['p50']} ms, p99 {spent['p99']} ms; "
        f"{result['position_writes_per_second']} position writes a second."
    )


def _idle(result: Result | None) -> str:
    if result is None:
        return ""
    return (
        f"{result['agents']:,} agents over {result['collections']} collections in {result['databases']} databases "
        f"that have nothing to do: {result['cursors']} cursors, {result['cpu_percent_of_a_core']} % of a core, "
        f"{result['rss_mb']} MB; the first result of one agent more is there after "
        f"{result['first_result_of_a_new_agent_seconds']} s."
    )


def _memory(result: Result | None) -> str:
    if result is None:
        return ""
    sizes = result["rss_mb"]
    return (
        f"Memory over {result['events']:,} events, {result['large_documents']:,} of them of documents of a "
        f"megabyte: {sizes['after_a_tenth']} MB after a tenth, {sizes['last']} MB at the end."
    )
