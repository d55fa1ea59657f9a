"""`mongoclaw doctor`: each thing that keeps MongoClaw from working, with its remedy."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pymongo.database import Database
from redis import Redis

from agents_app import publish
from executions_app.models import WorkerProcess
from mongoclaw_project.cli.doctor.finding import Level, bad, examine, good
from tests.integration.mongoclaw_project.cli.conftest import Outcome, Point, Run
from watcher.lease import Lease


def said(outcome: Outcome, area: str) -> dict[str, str]:
    """The findings of an area: message → level."""
    return {
        finding["message"]: finding["level"]
        for finding in outcome.data["findings"]
        if finding["area"] == area
    }


@pytest.fixture
def leases(mongo_db: Database[Any]) -> None:
    """A watcher that leads in both roles."""
    for name in ("stream", "dispatch"):
        assert Lease(mongo_db["leases"], name, "somebody", duration=timedelta(minutes=5)).acquire()


def test_a_system_without_processes_fails_and_says_how_to_start_them(run: Run) -> None:
    visit = run("doctor")

    assert visit.code == 1
    assert "✗ no worker process is alive\n    → start one: `celery -A mongoclaw_project worker`" in visit.out
    assert "✗ no watcher reads change streams" in visit.out
    assert "✓ " in visit.out


@pytest.mark.usefixtures("leases")
def test_a_watcher_that_leads_is_seen_by_its_lease(run: Run) -> None:
    assert set(said(run("doctor", "--json"), "Watchers").values()) == {"ok"}


def test_every_finding_that_is_not_ok_has_a_remedy(run: Run) -> None:
    findings = run("doctor", "--json").data["findings"]

    assert all(finding["remedy"] for finding in findings if finding["level"] != "ok")


def test_a_worker_whose_heart_stands_still_is_not_alive(run: Run) -> None:
    now = datetime.now(UTC)
    WorkerProcess.objects.create(
        id="w", role="worker", host="box", pid=7, started_at=now, beat=3, beat_at=now
    )

    workers = said(run("doctor", "--json"), "Workers")

    assert workers["no worker process is alive"] == "fail"
    assert workers["a worker stopped giving signs of life: box, process 7"] == "warn"


@pytest.mark.parametrize(
    ("name", "address", "area", "unseen"),
    [
        ("MONGODB__URI", "mongodb://127.0.0.1:9", "MongoDB", {"Watchers", "Agents' access to MongoDB"}),
        ("REDIS__URL", "redis://127.0.0.1:9/0", "Redis", {"Queue"}),
    ],
)
def test_a_server_that_is_down_is_one_problem_and_not_many(
    run: Run, point: Point, servers: dict[str, str], name: str, address: str, area: str, unseen: set[str]
) -> None:
    point(**{**servers, name: address})

    visit = run("doctor", "--json")

    assert list(said(visit, area).values()) == ["fail"]
    assert set(visit.data["not_examined"]) == unseen


def test_dangerous_settings_are_found(run: Run, point: Point, servers: dict[str, str]) -> None:
    point(**servers, ENVIRONMENT="production", DATABASE__URL="sqlite:////tmp/unused.sqlite3")

    found = said(run("doctor", "--json"), "Settings")

    assert any("mongoclaw.E001" in message and level == "fail" for message, level in found.items())
    assert any("mongoclaw.W001" in message and level == "warn" for message, level in found.items())


def test_an_unhealthy_agent_is_named_with_its_reason(run: Run, agent_file: Path) -> None:
    run("agents", "create", "-f", str(agent_file))
    publish.mark_health("support", "unhealthy", "watch.filter cannot be evaluated: bad")

    agents = said(run("doctor", "--json"), "Agents")

    assert agents["support is unhealthy: watch.filter cannot be evaluated: bad"] == "fail"


def test_a_missing_key_is_named(
    run: Run, point: Point, servers: dict[str, str], agent_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    agent_file.write_text(agent_file.read_text().replace("provider: sandbox", "provider: openai"))
    run("agents", "create", "-f", str(agent_file))
    del servers["AI__SANDBOX_URL"]
    point(**servers)

    agents = said(run("doctor", "--json"), "Agents")

    assert agents["support: There is no API key for openai: set OPENAI_API_KEY"] == "fail"
    assert any("'sandbox-1' is not a model of openai" in message for message in agents)


def test_what_agents_need_of_mongodb_is_tried(run: Run, agent_file: Path, mongo_db: Database[Any]) -> None:
    run("agents", "create", "-f", str(agent_file))

    access = said(run("doctor", "--json"), "Agents' access to MongoDB")

    for needed in (
        f"changes of database {mongo_db.name} can be watched",
        f"{mongo_db.name}.tickets can be read",
        f"{mongo_db.name}.tickets can be written",
    ):
        assert access[needed] == "ok"
    assert mongo_db.list_collection_names() == []


def test_a_target_that_cannot_be_written_is_found(
    run: Run, agent_file: Path, mongo_db: Database[Any]
) -> None:
    agent_file.write_text(agent_file.read_text() + "write: {target_collection: results}\n")
    run("agents", "create", "-f", str(agent_file))
    mongo_db.command("create", "results", viewOn="tickets", pipeline=[])

    access = said(run("doctor", "--json"), "Agents' access to MongoDB")

    assert [level for message, level in access.items() if "results cannot be written" in message] == ["fail"]


@pytest.fixture
def forgetful_redis(redis_url: str) -> Iterator[None]:
    """A broker that throws messages away when it is full, for the time of a test."""
    with Redis.from_url(redis_url, decode_responses=True) as broker:
        before = broker.config_get("maxmemory-policy")["maxmemory-policy"]
        broker.config_set("maxmemory-policy", "allkeys-lru")
        yield
        broker.config_set("maxmemory-policy", before)


@pytest.mark.usefixtures("forgetful_redis")
def test_a_broker_that_forgets_messages_fails(run: Run) -> None:
    found = said(run("doctor", "--json"), "Redis")

    assert [level for message, level in found.items() if "allkeys-lru" in message] == ["fail"]


def test_a_mistake_in_the_looking_is_a_finding_and_not_the_end() -> None:
    def broken() -> Iterator[Any]:
        yield good("the first half is well")
        raise LookupError("oops")

    area = examine("Half", broken)

    assert [finding.level for finding in area.findings] == [Level.OK, Level.FAIL]
    assert "LookupError: oops" in area.findings[1].message


def test_the_worst_finding_is_the_verdict() -> None:
    assert examine("All", lambda: [good("a"), bad("b", "c")]).level is Level.FAIL
