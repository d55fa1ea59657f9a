"""What holds calls up, as an operator sees and ends it."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import pytest
from pymongo.database import Database

from enrichment.errors import QuotaExhausted
from executions_app.limits import Limiter, Rules, lessons_of
from executions_app.limits.limiter import Budget, connect
from tests.integration.mongoclaw_project.cli.conftest import SUPPORT, Point, Run, recorded

RULES = Rules(agent_id="support", account="openai", model="gpt-4o")


@pytest.fixture
def limiter(run: Run, redis_url: str) -> Limiter:
    """The limiter that the commands ask, with an account without credit and an agent in quarantine."""
    found = Limiter(connect(redis_url), lease_seconds=6, monotonic=time.monotonic)
    for lesson in lessons_of(QuotaExhausted(), RULES):
        found.report(lesson)
    found.count_failure(RULES, Budget(failures=1, window_seconds=60, quarantine_seconds=30))
    return found


@pytest.mark.usefixtures("limiter")
def test_what_holds_calls_up_is_listed_and_one_of_it_lifted(run: Run) -> None:
    listed = run("limits", "list")
    assert "agent:support    quarantined" in listed.out
    assert "cooldown:openai  provider_quota" in listed.out

    assert run("limits", "lift", "cooldown:openai").out == "✓ Lifted cooldown:openai\n"

    [left] = run("limits", "list", "--json").data["pauses"]
    assert left["name"] == "agent:support"
    assert 0 < left["seconds"] <= 30


def test_an_agent_that_has_reached_its_own_limit_is_listed_with_the_time_until_it_goes_on(
    run: Run, tmp_path: Path, mongo_db: Database[Any], redis_url: str
) -> None:
    path = tmp_path / "support.yaml"
    path.write_text(SUPPORT.format(database=mongo_db.name) + "execution: {rate_limit_requests: 1}\n")
    assert run("agents", "create", "-f", str(path)).code == 0
    assert "Agent at its limit" not in run("limits", "list").out
    asked = Limiter(connect(redis_url), lease_seconds=6, monotonic=time.monotonic)
    asked.admit(Rules(agent_id="support", account="sandbox", model="sandbox-1", per_minute=1), "a", tokens=0)

    outcome = run("limits", "list")

    assert "support             agent_rate_limit" in outcome.out
    [reached] = run("limits", "list", "--json").data["agents"]
    assert 50 < reached["seconds"] <= 60


def test_a_run_that_a_limit_holds_back_says_which_one_and_when_it_is_due(
    run: Run, tmp_path: Path, mongo_db: Database[Any], redis_url: str
) -> None:
    path = tmp_path / "support.yaml"
    path.write_text(SUPPORT.format(database=mongo_db.name) + "execution: {rate_limit_requests: 1}\n")
    run("agents", "create", "-f", str(path))
    id_ = recorded(key="ticket-1", room=0)
    assert "admission  now" in run("executions", "list").out
    asked = Limiter(connect(redis_url), lease_seconds=6, monotonic=time.monotonic)
    asked.admit(Rules(agent_id="support", account="sandbox", model="sandbox-1", per_minute=1), "a", tokens=0)

    listed, shown = run("executions", "list").out, run("executions", "show", id_).out

    assert re.search(r"admission: agent_rate_limit  in (1 min|5\d s) ", listed)
    assert "agent_rate_limit: Its agent has made as many calls a minute" in shown
    assert re.search(r"`execution.rate_limit_requests` allows. Due in (1 min|5\d s).", shown)
    held = run("executions", "show", id_, "--json").data["held_by"]
    assert (held["reason"], 50 < held["seconds"] <= 60) == ("agent_rate_limit", True)
    assert (
        run("executions", "list", "--json").data["executions"][0]["held_by"]["reason"] == "agent_rate_limit"
    )


def test_redis_that_is_away_is_one_error_that_names_its_address(
    run: Run, point: Point, servers: dict[str, str]
) -> None:
    point(**{**servers, "REDIS__URL": "redis://me:secret@127.0.0.1:9/0"})

    for words in (("list",), ("lift", "agent:support")):
        refused = run("limits", *words)
        assert refused.code == 1
        assert len(refused.err.splitlines()) == 1
        assert "does not answer at 127.0.0.1:9/0" in refused.err
        assert "correct MONGOCLAW_REDIS__URL" in refused.err


def test_a_name_that_holds_nothing_up_is_said_not_to(run: Run, limiter: Limiter) -> None:
    outcome = run("limits", "lift", "openai")

    assert outcome.code == 1
    assert "Nothing of the name 'openai' holds calls up; `mongoclaw limits list`" in outcome.err


@pytest.mark.usefixtures("limiter")
def test_the_doctor_names_what_holds_calls_up_and_what_to_do(run: Run) -> None:
    found = [finding for finding in run("doctor", "--json").data["findings"] if finding["area"] == "Limits"]

    assert [finding["level"] for finding in found] == ["warn", "warn"]
    assert "top the account up, then `mongoclaw limits lift cooldown:openai`" in found[1]["remedy"]
