"""`mongoclaw stats` and `mongoclaw retention`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from bson import Timestamp

from agents_app.models import Agent
from executions_app import ledger, transitions
from executions_app.models import Attempt, Execution
from executions_app.states import Status
from tests.counting import count_all
from tests.integration.mongoclaw_project.cli.conftest import Point, Run

FAILED = transitions.Settlement(status=Status.FAILED, reason="provider_rejected")
WRITTEN = transitions.Settlement(status=Status.COMPLETED, reason="written", written=True)


@pytest.fixture
def ended(transactional_db: None, run: Run, agent_file: Path) -> datetime:
    """Two runs that ended two days ago, one of them with a call whose price nobody knows."""
    run("agents", "create", "-f", str(agent_file))
    agent = Agent.objects.get()
    assert agent.current_version_id is not None
    then = datetime.now(UTC) - timedelta(days=2)
    for number, end in enumerate((WRITTEN, FAILED)):
        event = ledger.NewExecution(
            agent_id=agent.pk,
            version_id=agent.current_version_id,
            token=f"82{number}",
            database="shop",
            collection="tickets",
            key=f"ticket-{number}",
            operation="insert",
            cascade=False,
            event_time=Timestamp(int(then.timestamp()), number + 1),
            sequence=number,
            priority=0,
            coalesce=True,
        )
        (id_,) = ledger.record([event], room={"support": 9}, now=then)
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


def test_a_span_that_is_none_is_an_error_with_the_remedy(run: Run, ended: datetime) -> None:
    failed = run("stats", "--since", "yesterday")

    assert failed.code == 1
    assert "write 24h" in failed.err


def test_retention_shows_what_is_kept_and_deletes_nothing_unasked(run: Run, ended: datetime) -> None:
    shown = run("retention", "show")
    ran = run("retention", "run")

    assert "kept for ever" in shown.out
    assert "MONGOCLAW_RETENTION__EXECUTIONS_DAYS" in ran.err
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
