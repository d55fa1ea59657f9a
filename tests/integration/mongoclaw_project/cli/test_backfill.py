from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pymongo.database import Database

from executions_app import backfill_transitions, backfills
from executions_app.models import Backfill, Execution
from mongoclaw_project.cli import following
from tests.integration.mongoclaw_project.cli.conftest import Run

Document = dict[str, Any]


@pytest.fixture
def agent(run: Run, agent_file: Path) -> str:
    assert run("agents", "create", "-f", str(agent_file)).code == 0
    return "support"


@pytest.fixture(autouse=True)
def _no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "PATIENCE_SECONDS", 0.0)


def a_watcher_leads(mongo_db: Database[Document]) -> None:
    mongo_db.leases.insert_one(
        {"_id": "backfill", "holder": "w", "term": 1, "expires_at": datetime(2100, 1, 1, tzinfo=UTC)}
    )


def test_a_backfill_is_planned_and_the_command_says_that_no_watcher_takes_it_up(run: Run, agent: str) -> None:
    outcome = run(
        "backfill",
        agent,
        "--filter",
        '{"n": {"$gte": {"$numberLong": "5"}}}',
        "--limit",
        "7",
        "--rate",
        "90/m",
    )

    (planned,) = Backfill.objects.all()
    assert outcome.code == 0
    assert "No watcher runs" in outcome.err
    assert f"Planned backfill {planned.id[:8]} of support" in outcome.out
    assert (planned.status, planned.limit, planned.rate) == ("planned", 7, 1.5)
    assert planned.origin.startswith("cli")
    assert backfills.query_of(planned) == {"n": {"$gte": 5}}


def test_no_wait_leaves_at_once_and_tells_how_to_follow(
    run: Run, agent: str, mongo_db: Database[Document]
) -> None:
    a_watcher_leads(mongo_db)
    outcome = run("backfill", agent, "--no-wait", "--json")

    assert "No watcher" not in outcome.err
    assert "backfills follow" in outcome.err
    assert outcome.data["status"] == "planned"


@pytest.mark.parametrize(
    ("words", "code", "error"),
    [
        (("--filter", "{oops"), 1, "filter: is not JSON"),
        (("--filter", "[1]"), 1, "filter: must be a mapping"),
        (("--filter", '{"$where": "1"}'), 1, "filter.$where: is not allowed"),
        (("--filter", '{"a": {"$oid": "no"}}'), 1, "$oid does not hold a valid value"),
        (("--rate", "fast"), 2, "write 50/s"),
        (("--rate", "0/s"), 2, "write 50/s"),
        (("--limit", "0"), 2, "0"),
    ],
)
def test_wrong_wishes_are_refused_with_the_place(
    run: Run, agent: str, words: tuple[str, ...], code: int, error: str
) -> None:
    outcome = run("backfill", agent, *words)

    assert outcome.code == code
    assert error in outcome.err
    assert not Backfill.objects.exists()


def test_a_disabled_agent_is_refused_with_the_remedy(run: Run, agent: str) -> None:
    run("agents", "disable", agent)

    outcome = run("backfill", agent)

    assert outcome.code == 1
    assert "mongoclaw agents enable support" in outcome.err


def test_an_unknown_agent_is_refused(run: Run) -> None:
    assert "Agent 'nobody' not found" in run("backfill", "nobody").err


def test_a_dry_run_counts_samples_and_prices_and_writes_nothing(
    run: Run, agent: str, mongo_db: Database[Document]
) -> None:
    mongo_db.tickets.insert_many([{"_id": n, "status": "open", "text": "x" * 300} for n in range(30)])
    mongo_db.tickets.insert_many([{"_id": n, "status": "shut", "text": "x"} for n in range(100, 110)])

    outcome = run("backfill", agent, "--dry-run", "--limit", "25", "--json")
    text = run("backfill", agent, "--dry-run", "--rate", "0.5/s").out

    assert outcome.code == 0
    assert (outcome.data["documents"], outcome.data["counted"], outcome.data["runs"]) == (30, "exactly", 25)
    assert outcome.data["sampled"] == {"documents": 20, "current": 0, "broken": 0, "fault": None}
    assert 100 < outcome.data["prompt_tokens_per_run"] < 130
    assert outcome.data["cost_usd"] == 0
    assert "30 match, counted exactly" in text
    assert "ai.max_tokens" in text
    assert "0:01:00 at 0.5 documents a second" in text
    assert not Backfill.objects.exists()
    assert not Execution.objects.exists()


def test_a_dry_run_names_what_a_prompt_lacks(run: Run, agent: str, mongo_db: Database[Document]) -> None:
    mongo_db.tickets.insert_one({"_id": 1, "status": "open"})

    outcome = run("backfill", agent, "--dry-run")

    assert "1 whose prompt cannot be rendered" in outcome.out


def test_a_backfill_is_found_by_its_first_characters_and_steered(run: Run, agent: str) -> None:
    run("backfill", agent, "--no-wait")
    (row,) = Backfill.objects.all()
    name = row.id[:8]

    assert "planned" in run("backfills", "show", name).out
    assert "a watcher that takes it up" in run("backfills", "show", name).out
    assert run("backfills", "pause", name).code == 0
    assert "is paused; it would have to be planned or running" in run("backfills", "pause", name).err
    assert run("backfills", "resume", name, "--json").data["status"] == "planned"
    assert run("backfills", "cancel", name).code == 0
    assert run("backfills", "resume", name).code == 1
    assert name in run("backfills", "list").out
    assert run("backfills", "list", "--json").data["backfills"][0]["status"] == "cancelled"
    assert "not found" in run("backfills", "show", "ffff").err


def test_following_ends_with_the_backfill_and_its_exit_code_tells_how(run: Run, agent: str) -> None:
    now = datetime.now(UTC)
    run("backfill", agent, "--no-wait")
    run("backfill", agent, "--no-wait")
    well, badly = Backfill.objects.all()
    for row in (well, badly):
        backfill_transitions.start(
            row,
            [backfill_transitions.NewRange("", "")],
            namespace=("shop", "tickets"),
            estimate=10,
            now=now,
        )
    backfill_transitions.complete(well.id, now=now)
    backfill_transitions.fail(badly.id, "the filter is broken", now=now)

    assert "completed: 0 read" in run("backfills", "follow", well.id).out
    failed = run("backfills", "follow", badly.id)
    assert failed.code == 1
    assert "the filter is broken" in failed.out


def test_interrupting_leaves_the_backfill_running(
    run: Run, agent: str, mongo_db: Database[Document], monkeypatch: pytest.MonkeyPatch
) -> None:
    a_watcher_leads(mongo_db)

    def interrupt(_ids: list[str]) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(following, "progress_of", interrupt)

    outcome = run("backfill", agent)

    (row,) = Backfill.objects.all()
    assert outcome.code == 130
    assert f"mongoclaw backfills cancel {row.id[:8]}" in outcome.err
    assert row.status == "planned"
