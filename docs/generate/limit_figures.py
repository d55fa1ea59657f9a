"""What the bench found out about fairness, about a long ledger and about a backfill's neighbours, in sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Result = Mapping[str, Any]


def limit_figures(results: Mapping[str, Result]) -> Sequence[str]:
    """The sentences on what is in the results; none if nothing is."""
    sentences = (
        _fairness(results.get("fairness")),
        _ledger(results.get("ledger-million")),
        _api(results.get("api")),
        _backfill(results.get("backfill")),
    )
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


def _api(result: Result | None) -> str:
    if result is None:
        return ""
    lists, agents = result["executions_ms"], result["agents_list"]
    slowest = max(lists, key=lambda name: lists[name]["p95"])
    return (
        f"The API lists the newest of {result['rows']:,} executions in {lists['first_page']['p95']} ms (p95), "
        f"the slowest of its filtered lists (`{slowest}`) in {lists[slowest]['p95']} ms, and answers "
        f"{agents['requests_per_second']} requests/s for {result['agents']} agents on one gunicorn of "
        f"{result['web_processes']} processes."
    )


def _backfill(result: Result | None) -> str:
    if result is None:
        return ""
    without, beside = result["live_ms_without"], result["live_ms_beside"]
    return (
        f"A backfill goes through {result['documents_per_second']:,} documents/s; beside it live changes reach the "
        f"broker after {beside['p50']} ms (p50) and {beside['p95']} ms (p95), and without it after "
        f"{without['p50']} ms and {without['p95']} ms."
    )
