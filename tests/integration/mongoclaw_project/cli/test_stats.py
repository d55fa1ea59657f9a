"""`mongoclaw stats` and `mongoclaw retention`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from bson import Timestamp

from executions_app import transitions
from executions_app.models import Attempt, Execution
from executions_app.run import Settlement
from executions_app.states import Status
from tests.counting import count_all
from tests.integration.mongoclaw_project.cli.conftest import Point, Run, recorded

FAILED = Settlement(status=Status.FAILED, reason="provider_rejected")
WRITTEN = Settlement(status=Status.COMPLETED, reason="written", written=True)


@pytest.fixture
def ended(transactional_db: None, run: Run, agent_file: Path) -> datetime:
    """Two runs that ended two days ago, one of them with a call whose price nobody knows."""
    run("agents", "create", "-f", str(agent_file))
    then = datetime.now(UTC) - timedelta(days=2)
    for number, end in enumerate((WRITTEN, FAILED)):
        id_ = recorded(number, event_time=Timestamp(int(then.timestamp()), 1), now=then)
        claimed = transitions.claim(id_, worker="w", now=then)
        assert claimed is not None
        transitions.settle(claimed, end, now=then + timedelta(seconds=1))
    Attempt.objects.create(
        execution_id=Execution.objects.get(status=Status.FAILED).pk,
        claim=1,
        number=1,
        input_hash="h",
        started_at=then,
        latency_ms=1,
        provider="sandbox",
        model="m",
        prompt="p",
        outcome="provider_rejected",
        prompt_tokens=12,
    )
    count_all(now=datetime.now(UTC))
    return then


def test_stats_show_a_line_per_agent(run: Run, ended: datetime) -> None:
    found = run("stats", "--since", "3d")

    assert found.code == 0
    assert "support" in found.out
    assert "100.0%" in found.out
    assert "unknown" in found.out
    assert "$0.00" not in found.out


def test_stats_show_hours_and_reasons(run: Run, ended: datetime) -> None:
    assert f"{ended:%Y-%m-%dT%H}" in run("stats", "--since", "3d", "--by", "hour").out
    assert "provider_rejected" in run("stats", "--since", "3d", "--by", "reason").out


def test_stats_as_json_are_those_of_the_api(run: Run, ended: datetime) -> None:
    data = run("stats", "--since", "3d", "--agent", "support", "--json").data

    assert (data["total"]["completed"], data["total"]["failed"]) == (1, 1)
    assert (data["total"]["unpriced_calls"], data["total"]["cost_usd"]) == (1, 0.0)
    assert data["agents"][0]["agent"] == "support"


def test_stats_say_that_nothing_has_ended(run: Run, ended: datetime) -> None:
    assert "No runs have ended" in run("stats", "--since", "1h").out


@pytest.mark.parametrize("words", [("stats",), ("dlq", "list"), ("dlq", "export")])
@pytest.mark.usefixtures("ended")
def test_a_time_is_written_alike_everywhere_and_a_wrong_one_is_wrong_usage(
    run: Run, words: tuple[str, ...]
) -> None:
    shown = {
        run(*words, f"--since={form}", "--json").out.partition('"live"')[0]
        for form in ("3d", "-3d", "-2d24h")
    }
    assert len(shown) == 1
    assert "provider_rejected" in shown.pop()

    failed = run(*words, "--since", "yesterday")
    assert failed.code == 2
    assert "write 24h, -2h30m" in failed.err


def test_figures_of_the_last_decade_are_wrong_usage(run: Run, ended: datetime) -> None:
    failed = run("stats", "--since", "3650d")

    assert failed.code == 2
    assert "not within the last 366 days" in failed.err


def test_stats_show_what_waits_for_its_time(run: Run, ended: datetime) -> None:
    due_at = datetime.now(UTC) + timedelta(minutes=5)
    Execution.objects.update(status=Status.PENDING, reason="rate_limited", due_at=due_at)

    assert "Put off    support: 2 not due yet, the first in" in run("stats").out
    assert run("stats", "--json").data["live"]["put_off"][0]["rows"] == 2


def test_retention_shows_what_is_kept_and_deletes_nothing_unasked(run: Run, ended: datetime) -> None:
    shown = run("retention", "show")
    ran = run("retention", "run")

    assert "kept for ever" in shown.out
    for name in ("EXECUTIONS_DAYS", "TEXTS_DAYS", "DEAD_LETTERS_DAYS"):
        assert f"MONGOCLAW_RETENTION__{name}" in ran.err
        assert f"MONGOCLAW_RETENTION__{name}" in shown.out
    assert Execution.objects.count() == 2


def test_retention_deletes_what_the_settings_say(run: Run, ended: datetime, point: Point) -> None:
    point(RETENTION__EXECUTIONS_DAYS="1", RETENTION__DEAD_LETTERS_DAYS="1")

    told = run("retention", "run", "--dry-run")
    assert "Would have deleted 1 runs and 1 dead letters" in told.out
    assert Execution.objects.count() == 2

    done = run("retention", "run", "--json").data
    assert (done["runs"], done["dead_letters"], done["dry_run"]) == (1, 1, False)
    assert not Execution.objects.exists()
    assert run("stats", "--since", "3d", "--json").data["total"]["runs"] == 2


def test_a_run_whose_texts_are_erased_says_so(run: Run, ended: datetime, point: Point) -> None:
    point(RETENTION__TEXTS_DAYS="1")
    Execution.objects.update(status=Status.COMPLETED)
    id_ = Attempt.objects.get().execution_id

    erased = run("retention", "run", "--json").data["texts"]

    assert erased == 1
    assert "prompt: erased" in run("executions", "show", id_).out
