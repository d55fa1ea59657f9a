"""`mongoclaw doctor`: each thing that keeps MongoClaw from working, with its remedy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from bson import Timestamp
from pymongo.database import Database
from redis import Redis

from agents_app import publish
from agents_app.spec import HistoryPolicy
from executions_app import gaps
from executions_app.models import GapKind, WorkerProcess
from mongoclaw_project.cli.doctor.finding import Level, bad, examine, good
from tests.integration.mongoclaw_project.cli.conftest import Outcome, Point, Run
from watcher.leading.control import Controls
from watcher.reading.cluster import look_at
from watcher.reading.position_store import PositionStore

pytestmark = pytest.mark.once

NOW = datetime(2026, 11, 21, 2, 0, tzinfo=UTC)


def said(outcome: Outcome, area: str) -> dict[str, str]:
    """The findings of an area: message → level."""
    return {
        finding["message"]: finding["level"]
        for finding in outcome.data["findings"]
        if finding["area"] == area
    }


def test_a_system_without_processes_fails_and_says_how_to_start_them(run: Run) -> None:
    visit = run("doctor")

    assert visit.code == 1
    assert "✗ no worker process is alive\n    → start one: `celery -A mongoclaw_project worker`" in visit.out
    assert "✗ no watcher is alive\n    → start one: `python -m watcher`" in visit.out
    assert "✓ " in visit.out


@pytest.fixture
def server_now(mongo_db: Database[Any]) -> datetime:
    """The server's time."""
    now: datetime = mongo_db.client.admin.command("hello")["localTime"]
    return now


@pytest.fixture
def watcher(mongo_db: Database[Any], server_now: datetime) -> None:
    """A watcher that lives and leads, as it writes itself down."""
    later = server_now + timedelta(minutes=5)
    mongo_db["watchers"].insert_one({"_id": "w1", "host": "box", "pid": 7, "roles": [], "expires_at": later})
    mongo_db["leases"].insert_one(
        {"_id": "dispatch", "holder": "w1", "host": "box", "pid": 7, "term": 2, "expires_at": later}
    )


@pytest.fixture
def stream(
    run: Run, agent_file: Path, mongo_db: Database[Any], server_now: datetime, watcher: None
) -> Callable[..., None]:
    """An agent whose stream that watcher reads; keywords say how it is."""
    assert run("agents", "create", "-f", str(agent_file)).code == 0

    def say(state: str, **said: Any) -> None:
        lease = {
            "holder": "w1",
            "host": "box",
            "pid": 7,
            "term": 2,
            "renewed_at": server_now,
            "expires_at": server_now + timedelta(minutes=5),
            "state": {"state": state, "polled_ago": 0.1, "lag_seconds": 0.0, **said},
        }
        mongo_db["leases"].replace_one({"_id": f"stream:{mongo_db.name}"}, lease, upsert=True)

    return say


@pytest.mark.usefixtures("watcher")
def test_a_watcher_that_lives_is_seen_and_a_second_one_is_recommended(run: Run) -> None:
    assert said(run("doctor", "--json"), "Watchers") == {
        "watchers alive: 1 (box:7)": "ok",
        "nobody takes over if this watcher's host dies": "warn",
        "work is handed to the broker by box:7": "ok",
    }


def test_a_stream_that_is_read_is_well(
    run: Run, stream: Callable[..., None], mongo_db: Database[Any]
) -> None:
    stream("live")
    found = said(run("doctor", "--json"), "Streams")
    assert found == {f"stream {mongo_db.name} is live, read by box:7, 0 s behind": "ok"}


@pytest.mark.parametrize(
    ("state", "said_", "message", "remedy"),
    [
        ("refused", {"detail": "of another cluster"}, "it is refused: of another cluster", "set-position"),
        ("broken", {"detail": "280 again"}, "it is broken: 280 again", "watcher's log"),
        ("live", {"polled_ago": 99.0}, "it has not been polled for", "a restart gives the stream"),
    ],
)
def test_a_stream_in_trouble_fails_with_the_remedy(
    run: Run, stream: Callable[..., None], state: str, said_: dict[str, Any], message: str, remedy: str
) -> None:
    stream(state, **said_)
    found = [one for one in run("doctor", "--json").data["findings"] if one["area"] == "Streams"]
    assert [(one["level"], message in one["message"], remedy in one["remedy"]) for one in found] == [
        ("fail", True, True)
    ]


def test_a_stream_that_nobody_reads_fails(run: Run, agent_file: Path, mongo_db: Database[Any]) -> None:
    run("agents", "create", "-f", str(agent_file))
    found = said(run("doctor", "--json"), "Streams")
    assert found == {f"stream {mongo_db.name}: no watcher reads it": "fail"}


def test_a_position_that_the_oplog_does_not_hold_any_more_fails(
    run: Run, stream: Callable[..., None], mongo_db: Database[Any]
) -> None:
    stream("live")
    here = look_at(mongo_db.client)
    positions = PositionStore(mongo_db["resume_tokens"])
    positions.place(mongo_db.name, time=Timestamp(1_500_000_000, 1), token=None, cluster=here, now=NOW)
    found = said(run("doctor", "--json"), "Streams")
    assert found[f"the oplog has dropped what follows the position of stream {mongo_db.name}"] == "fail"


def test_a_paused_stream_is_a_warning(run: Run, stream: Callable[..., None], mongo_db: Database[Any]) -> None:
    stream("paused")
    Controls(mongo_db["streams"]).pause(mongo_db.name)
    assert said(run("doctor", "--json"), "Streams") == {f"stream {mongo_db.name} is paused": "warn"}


@pytest.mark.parametrize(
    ("policy", "level"),
    [(HistoryPolicy.FAIL, "fail"), (HistoryPolicy.SKIP, "warn"), (HistoryPolicy.BACKFILL, "ok")],
)
def test_a_gap_that_is_not_closed_is_found(
    run: Run, agent_file: Path, policy: HistoryPolicy, level: str
) -> None:
    run("agents", "create", "-f", str(agent_file))
    gap = gaps.record(
        gaps.NewGap(
            agent_id="support",
            database="shop",
            collection="tickets",
            kind=GapKind.HISTORY_LOST,
            since="6789abcd00000001",
            until="6789abff00000001",
            policy=policy,
        ),
        now=NOW,
    )
    found = [one for one in run("doctor", "--json").data["findings"] if one["area"] == "Gaps"]
    assert [one["level"] for one in found] == [level]
    assert found[0]["message"].startswith(
        "support has not seen changes of shop.tickets since 2025-01-17 01:01:01"
    )
    assert level == "ok" or f"gaps close {gap.id[:8]} --backfill" in found[0]["remedy"]


def test_without_gaps_all_is_well(run: Run) -> None:
    assert said(run("doctor", "--json"), "Gaps") == {"no agent has missed anything that is not settled": "ok"}


def test_the_clocks_are_compared(run: Run) -> None:
    found = said(run("doctor", "--json"), "Clocks")
    assert "the clock of MongoDB agrees with this host's" in found
    assert set(found.values()) == {"ok"}


def test_a_collection_that_is_sharded_by_something_else_than_its_id_is_doubtful(
    run: Run, agent_file: Path, mongo_db: Database[Any]
) -> None:
    run("agents", "create", "-f", str(agent_file))
    catalogue = mongo_db.client["config"]["collections"]
    name = f"{mongo_db.name}.tickets"
    catalogue.insert_one({"_id": name, "key": {"customer": 1, "_id": 1}})
    try:
        found = said(run("doctor", "--json"), "Agents' access to MongoDB")
    finally:
        catalogue.delete_one({"_id": name})
    level = next(level for message, level in found.items() if "sharded by customer, _id" in message)
    assert level == "warn"


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
        (
            "MONGODB__URI",
            "mongodb://127.0.0.1:9",
            "MongoDB",
            {"Clocks", "Watchers", "Streams", "Agents' access to MongoDB", "Collections"},
        ),
        ("REDIS__URL", "redis://127.0.0.1:9/0", "Redis", {"Queue", "Limits"}),
        ("BROKER__URL", "amqp://127.0.0.1:9//", "Broker", {"Queue"}),
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
