from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bench.peers.summary import CEILING, OURS, PEER
from docs.generate import figures
from docs.generate.limit_figures import limit_figures
from docs.generate.peer_figures import peer_figures


def rate(median: float, least: float, most: float) -> dict[str, float]:
    return {"median": median, "min": least, "max": most}


SUMMARY = {
    CEILING: {
        "documents_per_second": rate(301.0, 301.0, 301.0),
        "cpu_ms_per_document": rate(0.9, 0.9, 0.9),
        "rss_mb": rate(90, 90, 90),
    },
    OURS: {
        "documents_per_second": rate(200.0, 190.0, 210.0),
        "cpu_ms_per_document": rate(7.04, 7.0, 7.1),
        "rss_mb": rate(410, 400, 420),
        "enriched": 4000,
        "lost": 0,
        "doubled": 1,
        "overhead_ms": {"p50": rate(11.0, 10.0, 12.0), "p95": rate(20.0, 19.0, 21.0)},
    },
}
PEERS: dict[str, Any] = {
    "documents": 2000,
    "slots": 64,
    "model_latency_ms": 200,
    "ideal_documents_per_second": 320.0,
    "summary": SUMMARY,
    "ratios": {"ours_by_peer": 4.44, "ours_by_ceiling": 0.664},
}
LEDGER = {
    "few": {
        "rows": 1000,
        "admin_ms": {"list": 60.0},
        "overhead_ms": {"p50": 11.0},
        "documents_per_second": 200.0,
    },
    "many": {
        "rows": 1_000_000,
        "admin_ms": {"list": 65.0},
        "overhead_ms": {"p50": 12.0},
        "documents_per_second": 190.0,
    },
}


@pytest.fixture
def record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "2026-11-29.json"
    path.write_text(json.dumps({"cores": 2, "python": "3.11.7", "results": {"peers": PEERS}}))
    monkeypatch.setattr(figures, "ROOT", tmp_path)
    return path


def test_a_record_of_the_comparison_alone_becomes_a_text_without_an_empty_table(record: Path) -> None:
    text = figures.figures(record)
    assert "| scenario |" not in text
    assert (
        f"| {OURS} | 200.0 (190.0 to 210.0) | 4,000, 0, 1 | 7.0 ms | 410 MB | p50 11.0 ms, p95 20.0 ms |"
        in text
    )
    assert f"| {CEILING} | 301.0 | no documents |" in text
    assert "are 4.4 times MongoClaw 1.0.4, 66% of plain Celery." in text


def test_the_chart_is_shown_where_there_is_one(record: Path) -> None:
    assert "![" not in figures.figures(record)
    record.with_name("2026-11-29-peers.svg").write_text("<svg/>")
    assert "](2026-11-29-peers.svg)" in figures.figures(record)


def test_a_record_without_the_comparison_says_nothing_about_it(record: Path) -> None:
    assert peer_figures({}, record, record.parent) == []
    assert PEER not in "".join(limit_figures({}))


def test_fairness_and_the_long_ledger_are_told_with_what_they_are_compared_to() -> None:
    fairness = {
        "backlog": 100_000,
        "quiet_documents": 20,
        "loaded_seconds": rate(0.8, 0.7, 0.9),
        "unloaded_seconds": rate(0.5, 0.5, 0.6),
    }
    quiet, ledger = limit_figures({"fairness": fairness, "ledger-million": LEDGER})
    assert (
        quiet
        == "A quiet agent's 20 documents behind 100,000 of another agent: 0.8 s, and 0.5 s without them."
    )
    assert ledger.startswith(
        "With 1,000,000 executions on record, and with 1,000: the admin's list takes 65.0 ms"
    )


def test_of_the_api_the_slowest_list_is_told_too_and_of_a_backfill_what_it_costs_its_neighbours() -> None:
    lists = {"first_page": {"p95": 18.0}, "failed": {"p95": 45.0}, "pending": {"p95": 137.0}}
    api = {
        "rows": 1_000_000,
        "agents": 36,
        "web_processes": 2,
        "agents_list": {"requests_per_second": 312.4},
        "executions_ms": lists,
    }
    backfill = {
        "documents_per_second": 8_784,
        "live_ms_without": {"p50": 5.9, "p95": 7.5},
        "live_ms_beside": {"p50": 82.2, "p95": 141.7},
    }
    asked, beside = limit_figures({"api": api, "backfill": backfill})
    assert "in 18.0 ms (p95), the slowest of its filtered lists (`pending`) in 137.0 ms" in asked
    assert "after 82.2 ms (p50) and 141.7 ms (p95), and without it after 5.9 ms and 7.5 ms." in beside
