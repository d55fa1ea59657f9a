"""What the bench found out about fairness and about a long ledger, in sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Result = Mapping[str, Any]


def limit_figures(results: Mapping[str, Result]) -> Sequence[str]:
    """The sentences on what is in the results; none if nothing is."""
    sentences = (_fairness(results.get("fairness")), _ledger(results.get("ledger-million")))
    return [sentence for sentence in sentences if sentence]


def _fairness(result: Result | None) -> str:
    if result is None:
        return ""
    return (
        f"A quiet agent's {result['quiet_documents']} documents behind {result['backlog']:,} of another agent: "
        f"{result['loaded_seconds']['median']} s, and {result['unloaded_seconds']['median']} s without them."
    )


def _ledger(result: Result | None) -> str:
    if result is None:
        return ""
    few, many = result["few"], result["many"]
    return (
        f"With {many['rows']:,} executions on record, and with {few['rows']:,}: the admin's list takes "
        f"{many['admin_ms']['list']} ms and {few['admin_ms']['list']} ms, a single document "
        f"{many['overhead_ms']['p50']} ms and {few['overhead_ms']['p50']} ms beyond the model's time (p50), "
        f"{many['documents_per_second']} and {few['documents_per_second']} documents/s."
    )
