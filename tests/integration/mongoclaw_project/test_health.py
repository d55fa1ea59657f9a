from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from executions_app.models import WorkerProcess
from mongoclaw_project import __version__, broker_connection
from mongoclaw_project.config import load_settings
from mongoclaw_project.health import probes, servers, streams, views
from mongoclaw_project.health.component import Component, Probe, Unhealthy, check

NOWHERE = "127.0.0.1:9"


@pytest.fixture
def point_at(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Lets the probes use servers of the test's choice."""

    def forget() -> None:
        for cached in (servers._mongo, servers._redis, servers.probes, probes.all_probes):
            cached.cache_clear()

    def point(mongo: str, redis: str, broker: str = "") -> None:
        settings = load_settings(
            {
                "MONGOCLAW_MONGODB__URI": mongo,
                "MONGOCLAW_REDIS__URL": redis,
                "MONGOCLAW_BROKER__URL": broker,
            }
        )
        forget()
        for module in (servers, broker_connection, streams):
            monkeypatch.setattr(module, "current", lambda: settings)

    yield point
    servers.mongo().close()
    forget()


@pytest.mark.django_db
@pytest.mark.parametrize("port", [9, None])
def test_a_broker_beside_redis_is_asked_too(
    point_at: Callable[..., None], client: Client, mongo_uri: str, redis_url: str, port: int | None
) -> None:
    point_at(mongo_uri, redis_url, f"redis://:hunter2@127.0.0.1:{port}/0" if port else redis_url)

    response = client.get("/health/ready")

    check = response.json()["checks"]["broker"]
    assert (response.status_code, check["status"]) == (503, "unhealthy" if port else "healthy")
    assert "hunter2" not in response.content.decode()


@pytest.fixture
def up(point_at: Callable[..., None], mongo_uri: str, redis_url: str) -> None:
    point_at(mongo_uri, redis_url)


@pytest.mark.django_db
@pytest.mark.usefixtures("up")
class TestAllServersUp:
    def test_without_watcher_and_worker_ready_is_503_and_names_them(self, client: Client) -> None:
        response = client.get("/health/ready")
        body = response.json()
        assert (response.status_code, body["status"]) == (503, "not_ready"), body
        assert {name: check["status"] for name, check in body["checks"].items()} == {
            "mongodb": "healthy",
            "redis": "healthy",
            "database": "healthy",
            "watcher": "unhealthy",
            "workers": "unhealthy",
            "streams": "healthy",
        }

    def test_detailed_has_the_shape_that_the_sdks_read(self, client: Client) -> None:
        body = client.get("/health/detailed").json()
        assert body["status"] == "degraded"
        assert body["version"] == __version__
        assert body["environment"] == "development"
        assert all(isinstance(component, dict) for component in body["components"].values())
        assert body["components"]["mongodb"]["details"]["connected"] is True
        assert body["components"]["database"]["details"]["vendor"] == connection.vendor


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("up")
def test_watchers_and_workers_are_healthy_while_they_beat(client: Client) -> None:
    def beat(role: str, seconds_ago: float) -> None:
        beat_at = timezone.now() - timedelta(seconds=seconds_ago)
        WorkerProcess.objects.create(
            id=f"{role}-{seconds_ago}", role=role, host="h", pid=1, started_at=beat_at, beat_at=beat_at
        )

    beat("dispatch", 1)
    beat("worker", 2)
    beat("worker", 3600)
    ready = client.get("/health/ready")
    assert (ready.status_code, ready.json()["status"]) == (200, "ready"), ready.json()
    body = client.get("/health/detailed").json()
    workers = body["components"]["workers"]["details"]
    assert workers == {"connected": True, "alive": 1, "silent": 1}
    assert body["components"]["watcher"]["status"] == "healthy"
    assert body["status"] == "healthy"
    WorkerProcess.objects.filter(role="worker").delete()
    body = client.get("/health/detailed").json()
    assert body["components"]["workers"]["error"] == "no process shows signs of life"
    assert body["status"] == "degraded"
    assert client.get("/health/ready").status_code == 503


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("down", "status"),
    [("mongodb", "unhealthy"), ("redis", "degraded")],
)
def test_a_server_that_is_down_makes_ready_503_soon(
    client: Client,
    point_at: Callable[..., None],
    mongo_uri: str,
    redis_url: str,
    *,
    down: str,
    status: str,
) -> None:
    point_at(
        f"mongodb://u:hunter2@{NOWHERE}/" if down == "mongodb" else mongo_uri,
        f"redis://:hunter2@{NOWHERE}/0" if down == "redis" else redis_url,
    )
    started = time.monotonic()
    response = client.get("/health/ready")
    assert time.monotonic() - started < 4
    assert response.status_code == 503
    assert response.json()["status"] == "not_ready"
    assert response.json()["checks"][down]["error"] == "cannot be reached"
    assert "hunter2" not in response.content.decode()
    assert NOWHERE not in response.content.decode()
    detailed = client.get("/health/detailed")
    assert (detailed.status_code, detailed.json()["status"]) == (200, status)


@pytest.fixture
def nobody_asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Streams that nobody has heard of yet, and whose servers do not answer."""
    release = threading.Event()
    silent = (Probe("streams", lambda: {"waited": release.wait(10)}),)
    monkeypatch.setattr(views, "all_probes", lambda: silent)
    yield
    release.set()


@pytest.mark.usefixtures("nobody_asked")
def test_live_and_health_wait_for_no_server(client: Client) -> None:
    assert client.get("/health").json() == {"status": "healthy"}
    assert client.get("/health/live").json() == {"status": "alive"}
    assert client.head("/health").status_code == 200


def test_the_version_is_told(client: Client) -> None:
    assert client.get("/version").json() == {"version": __version__, "name": "mongoclaw"}


@pytest.mark.usefixtures("nobody_asked")
@pytest.mark.parametrize("path", ["/health", "/health/ready", "/health/live", "/health/detailed"])
def test_health_is_never_cached_and_never_posted_to(client: Client, path: str) -> None:
    assert client.post(path).status_code == 405
    if path in {"/health", "/health/live"}:
        assert "no-store" in client.get(path)["Cache-Control"]


def test_a_silent_server_costs_the_deadline_and_no_more() -> None:
    release = threading.Event()

    def silent() -> dict[str, Any]:
        release.wait(10)
        return {}

    probe = Probe("slow", silent)
    try:
        (first,) = check([probe], deadline_seconds=0.05)
        (second,) = check([probe], deadline_seconds=0.05)
    finally:
        release.set()
    assert first.error == second.error == "no answer within 0.05 s"


def test_many_who_ask_at_once_share_one_question() -> None:
    asked = []
    release = threading.Event()

    def ask() -> dict[str, Any]:
        asked.append(1)
        release.wait(10)
        return {}

    probe = Probe("one", ask)
    futures = [probe.begin() for _ in range(50)]
    release.set()
    assert all(future.result(10).is_healthy for future in futures)
    assert len(asked) == 1


def test_an_unexpected_error_is_an_unhealthy_component() -> None:
    def broken() -> dict[str, Any]:
        raise RuntimeError("mongodb://u:hunter2@h")

    (component,) = check([Probe("odd", broken)])
    assert component.error == "failed (RuntimeError)"


def test_a_standalone_mongod_is_unhealthy_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    class Standalone:
        admin = property(lambda self: self)

        def command(self, _: str) -> dict[str, Any]:
            return {"isWritablePrimary": True}

    monkeypatch.setattr(servers, "mongo", Standalone)
    with pytest.raises(Unhealthy, match=r"rs\.initiate"):
        servers.ask_mongodb()


@pytest.mark.django_db
def test_a_database_without_tables_says_what_to_run(monkeypatch: pytest.MonkeyPatch) -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE django_migrations RENAME TO elsewhere")
    monkeypatch.setattr(connection, "close", lambda: None)
    with pytest.raises(Unhealthy, match="mongoclaw migrate"):
        servers.ask_database()


@pytest.mark.parametrize(
    ("down", "expected"),
    [
        ((), "healthy"),
        (("redis",), "degraded"),
        (("database",), "unhealthy"),
        (("mongodb", "redis"), "unhealthy"),
    ],
)
def test_the_whole_is_as_ill_as_its_worst_part(down: tuple[str, ...], expected: str) -> None:
    names = ("mongodb", "redis", "database")
    components = tuple(Component(name, 1.0, "down" if name in down else None) for name in names)
    assert views.overall(components) == expected
