"""Change streams over HTTP: looked at and steered as by `mongoclaw streams`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from bson import Timestamp
from django.test import Client
from pymongo import MongoClient
from pymongo.database import Database

from agents_app.publish import publish, set_enabled
from agents_app.spec import parse_spec
from executions_app.gap_wire import time_json
from executions_app.models import Execution, StreamGap
from mongoclaw_project import streams_replay_api
from mongoclaw_project.config import Loaded, load_settings, loading
from tests.integration.executions_app.test_backfill_api import post
from tests.integration.executions_app.test_executions_api import bind, superuser
from watcher.leading.control import Control, Controls
from watcher.reading import cluster
from watcher.reading.position_store import PositionStore

Document = dict[str, Any]
Home = Database[Document]

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture
def url(mongo_db: Home, mongo_uri: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The stream of the test's database, in which MongoClaw keeps its own things too."""
    found = load_settings({"MONGOCLAW_MONGODB__URI": mongo_uri, "MONGOCLAW_MONGODB__DATABASE": mongo_db.name})
    monkeypatch.setattr(loading, "_current", lambda: Loaded(found, ()))
    return f"/api/v1/streams/{mongo_db.name}"


@pytest.fixture
def api(transactional_db: None, mongo_db: Home, url: str) -> Client:
    """A client that may do everything; two agents watch the database."""
    for id_ in ("triage", "other"):
        watching(id_, mongo_db)
    return superuser("root")


def watching(id_: str, mongo_db: Home) -> None:
    spec = {
        "id": id_,
        "name": id_,
        "watch": {"database": mongo_db.name, "collection": "tickets"},
        "ai": {"provider": "sandbox", "model": "sandbox-1", "prompt": "Sort: {{ document.text }}"},
        "write": {"target_field": id_},
    }
    publish(parse_spec(spec), by="tests", now=LONG_AGO)


def placed(mongo: MongoClient[Document], mongo_db: Home, *, ago: int) -> Timestamp:
    """Store a position of the database's stream."""
    here = cluster.look_at(mongo)
    time = Timestamp(here.time.time - ago, 1)
    PositionStore(mongo_db["resume_tokens"]).place(
        mongo_db.name, time=time, token=None, cluster=here, now=datetime.now(UTC)
    )
    return time


def position(mongo_db: Home) -> Timestamp | None:
    return PositionStore(mongo_db["resume_tokens"]).listed()[mongo_db.name].time


def control(mongo_db: Home) -> Control:
    return Controls(mongo_db["streams"]).read().get(mongo_db.name, Control())


def test_a_stream_is_shown_with_its_agents_and_listed(api: Client, url: str, mongo_db: Home) -> None:
    shown = api.get(url).json()
    assert (shown["paused"], shown["partitions"], shown["gaps"]) == (False, 1, [])
    assert [one["agent_id"] for one in shown["agents"]] == ["other", "triage"]
    assert shown["streams"] == api.get("/api/v1/streams").json()["streams"]
    assert shown["streams"][0]["state"] == "unwatched"

    missing = api.get("/api/v1/streams/nowhere")
    assert (missing.status_code, "No agent watches database 'nowhere'" in missing.json()["detail"]) == (
        404,
        True,
    )


def test_a_stream_is_paused_resumed_and_divided(
    api: Client, url: str, mongo: MongoClient[Document], mongo_db: Home
) -> None:
    placed(mongo, mongo_db, ago=5)
    paused = post(api, f"{url}/pause", {}).json()
    assert (paused["paused"], paused["seconds_until_lost"] >= 0) == (True, True)
    assert control(mongo_db).paused
    assert api.get(url).json()["paused"]
    assert not post(api, f"{url}/resume", {}).json()["paused"]
    assert not control(mongo_db).paused

    for parts in (0, 9, "2", True, None):
        wrong = post(api, f"{url}/partition", {"parts": parts})
        assert (wrong.status_code, wrong.json()["detail"][0]["loc"]) == (422, ["body", "parts"])
    divided = post(api, f"{url}/partition", {"parts": 2})
    assert divided.status_code in {200, 409}, "409 where the server cannot tell parts apart"
    assert control(mongo_db).partitions == (2 if divided.status_code == 200 else 1)


def test_going_forward_leaves_changes_out_only_if_that_is_meant(
    api: Client, url: str, mongo: MongoClient[Document], mongo_db: Home
) -> None:
    before = placed(mongo, mongo_db, ago=30)

    refused = post(api, f"{url}/position", {"now": True})
    assert refused.status_code == 409
    assert "left out for: other, triage. Say `leave_out: true`" in refused.json()["detail"]
    assert (position(mongo_db), StreamGap.objects.count(), control(mongo_db).generation) == (before, 0, 0)

    done = post(api, f"{url}/position", {"now": True, "leave_out": True}).json()
    gaps = StreamGap.objects.order_by("agent_id")
    assert [(gap.agent_id, gap.since, gap.status) for gap in gaps] == [
        (agent, f"{before.time:08x}00000001", "open") for agent in ("other", "triage")
    ]
    assert sorted(done["gaps"]) == sorted(gap.id for gap in gaps)
    assert done["position"] == time_json(position(mongo_db) or before)
    assert control(mongo_db).generation == 1, "the reader begins anew"
    assert gaps[0].detail == "api:root set the stream's position"


def test_going_back_leaves_nothing_out(
    api: Client, url: str, mongo: MongoClient[Document], mongo_db: Home
) -> None:
    before = placed(mongo, mongo_db, ago=0)
    done = post(api, f"{url}/position", {"beginning_of_oplog": True})
    assert (done.status_code, done.json()["gaps"]) == (200, [])
    assert (position(mongo_db) or before) < before


def test_a_position_that_is_asked_for_wrongly_or_is_none_is_refused(
    api: Client, url: str, mongo_db: Home
) -> None:
    bodies: list[tuple[Document, list[str]]] = [
        ({}, ["body"]),
        ({"now": False}, ["body"]),
        ({"now": True, "at": "-1s"}, ["body"]),
        ({"at": "tomorrow"}, ["body", "at"]),
        ({"token": "hello"}, ["body", "token"]),
        ({"now": "yes"}, ["body", "now"]),
        ({"to": "-1s"}, ["body", "to"]),
    ]
    for body, loc in bodies:
        wrong = post(api, f"{url}/position", body)
        assert (wrong.status_code, wrong.json()["detail"][0]["loc"]) == (422, loc), body
    for at, said in (("2015-01-01", "The oplog reaches back to"), ("2100-01-01", "lies in the future")):
        refused = post(api, f"{url}/position", {"at": at})
        assert (refused.status_code, said in refused.json()["detail"]) == (409, True)
    assert mongo_db["resume_tokens"].count_documents({}) == 0


def test_a_key_steers_a_stream_only_that_feeds_none_but_its_agents(
    api: Client, url: str, mongo_db: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    bind(monkeypatch, "triage")
    assert [one["agent_id"] for one in api.get(url).json()["agents"]] == ["triage"]
    for what, body in (
        ("pause", {}),
        ("partition", {"parts": 2}),
        ("position", {"beginning_of_oplog": True}),
    ):
        refused = post(api, f"{url}/{what}", body)
        assert refused.status_code == 403
        assert "other" not in refused.json()["detail"]
    assert control(mongo_db) == Control()

    set_enabled("other", False, now=LONG_AGO)
    assert post(api, f"{url}/pause", {}).status_code == 200


@pytest.fixture
def since(mongo_db: Home) -> str:
    """A cluster time after which three tickets were written."""
    start = mongo_db["other"].database.command("insert", "other", documents=[{}])["operationTime"]
    mongo_db["tickets"].insert_many([{"_id": number} for number in range(3)])
    return time_json(start)


def test_a_range_is_read_again_part_by_part_and_each_change_once(
    api: Client, url: str, since: str, mongo_db: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams_replay_api, "SECONDS", 0.0)
    part = post(api, f"{url}/replay", {"from": since, "agent_id": "triage"}).json()
    parts = [part]
    while not part["done"] and len(parts) < 20:
        mongo_db["other"].insert_one({})  # so that the cluster's time goes on meanwhile
        more = {"from": part["reached"], "to": part["until"], "replay_id": part["replay_id"]}
        answer = post(api, f"{url}/replay", {**more, "agent_id": "triage"})
        assert answer.status_code == 200, answer.json()
        part = answer.json()
        parts.append(part)

    assert part["done"]
    assert len(parts) > 1
    assert len({part["replay_id"] for part in parts}) == 1
    rows = Execution.objects.values_list("agent_id", "document_id")
    assert sorted(rows) == [("triage", "0"), ("triage", "1"), ("triage", "2")]
    assert set(Execution.objects.values_list("status", flat=True)) == {"pending"}, "dispatch sends them"


def test_a_replay_for_a_key_is_one_for_its_agents(
    api: Client, url: str, since: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bind(monkeypatch, "triage")
    assert post(api, f"{url}/replay", {"from": since}).json()["agents"] == ["triage"]
    hidden, never = (
        post(api, f"{url}/replay", {"from": since, "agent_id": name}) for name in ("other", "nobody")
    )
    assert (hidden.status_code, never.status_code) == (409, 409)
    assert hidden.json()["detail"].replace("other", "nobody") == never.json()["detail"]


def test_a_replay_that_is_asked_for_wrongly_is_named(api: Client, url: str) -> None:
    bodies: list[tuple[Document, list[str]]] = [
        ({}, ["body", "from"]),
        ({"from": "tomorrow"}, ["body", "from"]),
        ({"from": "-1h", "to": 5}, ["body", "to"]),
        ({"from": "-1h", "to": ""}, ["body", "to"]),
        ({"from": "-1h", "replay_id": "a b"}, ["body", "replay_id"]),
        ({"from": "-1h", "until": "-1s"}, ["body", "until"]),
    ]
    for body, loc in bodies:
        wrong = post(api, f"{url}/replay", body)
        assert (wrong.status_code, wrong.json()["detail"][0]["loc"]) == (422, loc), body
