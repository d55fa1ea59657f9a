"""What `/health` and its kin say of the streams."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from pymongo.database import Database

from agents_app import publish
from agents_app.spec import HistoryPolicy, parse_spec
from executions_app import gaps
from executions_app.models import GapKind
from mongoclaw_project.config import load_settings
from mongoclaw_project.health import probes, servers, streams
from mongoclaw_project.health.component import Unhealthy
from tests.conditions import eventually
from watcher.leading.control import Controls

pytestmark = pytest.mark.django_db(transaction=True)

Lead = Callable[..., None]
NOW = datetime.now(UTC)


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch, mongo_uri: str, mongo_db: Database[Any]) -> Iterator[Database[Any]]:
    """MongoClaw's own database, which is the watched one too, with an agent."""
    settings = load_settings(
        {"MONGOCLAW_MONGODB__URI": mongo_uri, "MONGOCLAW_MONGODB__DATABASE": mongo_db.name}
    )
    servers._mongo.cache_clear()
    probes.all_probes.cache_clear()
    for module in (servers, streams):
        monkeypatch.setattr(module, "current", lambda: settings)
    spec = {
        "id": "triage",
        "name": "Triage",
        "watch": {"database": mongo_db.name, "collection": "tickets"},
        "ai": {"provider": "sandbox", "model": "sandbox-1", "prompt": "Sort {{ document.text }}"},
        "write": {"target_field": "ai"},
    }
    publish.publish(parse_spec(spec), by="test", now=NOW)
    yield mongo_db
    servers.mongo().close()
    servers._mongo.cache_clear()
    probes.all_probes.cache_clear()


@pytest.fixture
def lead(home: Database[Any]) -> Lead:
    """Write down that a watcher lives, and how its stream is."""

    def say(state: str = "live", **said: Any) -> None:
        now = home.client.admin.command("hello")["localTime"]
        live = {"host": "box", "pid": 7, "expires_at": now + timedelta(minutes=5)}
        home["watchers"].replace_one({"_id": "w1"}, {**live, "roles": ["stream"]}, upsert=True)
        lease = {
            **live,
            "holder": "w1",
            "term": 1,
            "renewed_at": now,
            "state": {"state": state, "polled_ago": 0.1, **said},
        }
        home["leases"].replace_one({"_id": f"stream:{home.name}"}, lease, upsert=True)
        home["leases"].replace_one({"_id": "dispatch"}, live, upsert=True)

    return say


def trouble() -> str:
    with pytest.raises(Unhealthy) as raised:
        streams.ask_streams()
    return str(raised.value)


def test_streams_that_are_read_are_healthy(home: Database[Any], lead: Lead) -> None:
    lead()
    assert streams.ask_streams() == {"streams": 1, "watchers": 1, "paused": [], "open_gaps": 0}


def test_a_dead_watcher_is_named(home: Database[Any]) -> None:
    assert trouble() == f"no watcher is alive; stream {home.name}: no watcher reads it"


def test_a_lost_lease_of_dispatch_is_named(home: Database[Any], lead: Lead) -> None:
    lead()
    home["leases"].delete_one({"_id": "dispatch"})
    assert trouble() == "no watcher dispatches"


def test_without_agents_no_watcher_is_missed(home: Database[Any]) -> None:
    publish.archive("triage", now=NOW)
    assert streams.ask_streams()["streams"] == 0


@pytest.mark.parametrize(
    ("state", "said", "words"),
    [
        ("broken", {"detail": "mongodb://secret@host failed"}, "it is broken"),
        ("refused", {}, "it is refused"),
        ("live", {"polled_ago": 30.0}, "it has not been polled for 30 s"),
    ],
)
def test_a_stream_in_trouble_is_named_without_details(
    home: Database[Any], lead: Lead, state: str, said: dict[str, Any], words: str
) -> None:
    lead(state, **said)
    assert trouble() == f"stream {home.name}: {words}"


def test_a_paused_stream_is_healthy_and_told(home: Database[Any], lead: Lead) -> None:
    lead("paused")
    Controls(home["streams"]).pause(home.name)
    assert streams.ask_streams()["paused"] == [home.name]


@pytest.mark.parametrize("policy", [HistoryPolicy.FAIL, HistoryPolicy.SKIP])
def test_a_gap_that_holds_an_agent_is_unhealthy_and_another_is_counted(
    home: Database[Any], lead: Lead, policy: HistoryPolicy
) -> None:
    lead()
    gap = gaps.NewGap(
        agent_id="triage",
        database=home.name,
        collection="tickets",
        kind=GapKind.HISTORY_LOST,
        since="6789abcd00000001",
        until="6789abff00000001",
        policy=policy,
    )
    gaps.record(gap, now=NOW)
    if policy is HistoryPolicy.FAIL:
        assert trouble() == "agent triage is held by a gap"
    else:
        assert streams.ask_streams()["open_gaps"] == 1


def test_health_turns_red_with_the_reason_and_green_again(
    home: Database[Any], lead: Lead, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mongoclaw_project.health.component.REFRESH_SECONDS", 0.0)
    reason = f"streams: no watcher is alive; stream {home.name}: no watcher reads it"
    eventually(lambda: reason in client.get("/health").json().get("reasons", []))
    assert client.get("/health").json()["status"] == "degraded"
    assert client.get("/health/detailed").json()["components"]["streams"]["status"] == "unhealthy"
    lead()
    eventually(lambda: not any("streams" in reason for reason in client.get("/health").json()["reasons"]))
    assert client.get("/health/detailed").json()["components"]["streams"]["details"]["streams"] == 1
