"""`/metrics` of the web server: what SQL, Redis and MongoDB know, and who may read it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from bson import Timestamp
from django.contrib.auth.models import Permission, User
from django.db import OperationalError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from prometheus_client.parser import text_string_to_metric_families
from pymongo.database import Database
from redis import Redis

from agents_app import publish
from agents_app.spec import parse_spec
from executions_app import ledger, statements, transitions
from executions_app.identity import execution_id
from executions_app.ledger import NewExecution
from executions_app.limits import Lesson, Limiter
from executions_app.metrics.info import written
from executions_app.metrics.scrape import Fleet
from executions_app.models import WorkerProcess
from executions_app.routes import Routes
from executions_app.run import Settlement
from executions_app.states import Reason, Status
from mongoclaw_project.config import load_settings
from mongoclaw_project.health import servers
from mongoclaw_project.metrics import access, streams, views
from tests.counting import count_all

NOW = datetime.now(UTC)
WRITTEN = Settlement(status=Status.COMPLETED, reason=Reason.WRITTEN, written=True)
FAILED = Settlement(status=Status.FAILED, reason="provider_auth")
CONFLICT = Settlement(status=Status.SKIPPED, reason="hash_conflict")
SQL = pytest.mark.django_db(transaction=True)


class Page:
    """What `/metrics` has said."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._samples = [
            sample for family in text_string_to_metric_families(text) for sample in family.samples
        ]

    def value(self, name: str, /, **labels: str) -> float | None:
        """One sample, or None where there is none."""
        wanted = (f"mongoclaw_{name}", labels)
        return next((one.value for one in self._samples if (one.name, one.labels) == wanted), None)


def an_agent(name: str, database: str = "shop", **execution: Any) -> Any:
    spec = {
        "id": name,
        "name": name,
        "watch": {"database": database, "collection": "tickets"},
        "ai": {"provider": "sandbox", "model": "sandbox-1", "prompt": "Sort: {{ document.text }}"},
        "write": {"target_field": "ai"},
        "execution": execution,
    }
    return publish.publish(parse_spec(spec), by="tests", now=NOW).agent


def record(agent: Any, key: str, *, room: int = 9, now: datetime = NOW) -> str:
    event = NewExecution(
        agent_id=agent.pk,
        version_id=agent.current_version_id,
        token=f"82{key}",
        database="shop",
        collection="tickets",
        key=key,
        operation="insert",
        cascade=False,
        event_time=Timestamp(int(now.timestamp()), 1),
        sequence=time.monotonic_ns(),
        priority=0,
        coalesce=True,
    )
    ledger.record([event], room={agent.pk: room}, now=now)
    return execution_id(agent.pk, event.token)


def run(agent: Any, key: str, end: Settlement, *, took: float = 2.0, call: str = "valid") -> None:
    id_ = record(agent, key)
    claimed = transitions.claim(id_, worker="w1", now=NOW)
    assert claimed is not None
    statements.add_attempt(
        execution_id=id_,
        claim=1,
        number=1,
        input_hash="",
        started_at=NOW,
        latency_ms=400.0,
        provider="sandbox",
        model="sandbox-1",
        system_prompt="",
        prompt="p",
        reply="",
        answer=None,
        fixes=[],
        outcome=call,
        problem="",
        finish_reason="",
        prompt_tokens=30,
        completion_tokens=12,
        usage_estimated=False,
        cost_nanousd=5_000_000,
    )
    transitions.settle(claimed, end, now=NOW + timedelta(seconds=took))


@pytest.fixture
def fleet(redis_url: str) -> Iterator[Callable[..., Page]]:
    """Scrape a fleet's metrics by a collector that has seen nothing yet."""
    redis = Redis.from_url(redis_url, decode_responses=True)

    def scrape(*, agents: int = 200) -> Page:
        made = Fleet(
            routes=Routes(load_settings({}), monotonic=time.monotonic),
            limiter=Limiter(redis, lease_seconds=6, monotonic=time.monotonic),
            patience=6,
            agents=agents,
            consumer_group="mongoclaw-workers",
            per_slot=2.0,
            now=lambda: NOW + timedelta(seconds=60),
        )
        return Page(written(made).decode())

    yield scrape
    redis.close()


@SQL
def test_what_ended_is_told_by_agent_and_by_model_and_no_restart_forgets_it(
    fleet: Callable[..., Page],
) -> None:
    agent = an_agent("support")
    run(agent, "one", WRITTEN, took=2)
    run(agent, "two", WRITTEN, took=20)
    run(agent, "three", FAILED, call="provider_auth")
    run(agent, "four", CONFLICT)
    count_all(now=NOW + timedelta(hours=1))

    pages = [fleet(), fleet()]

    for page in pages:
        ended = [page.value("agent_executions_total", agent_id="support", status=one) for one in _ENDS]
        assert ended == [2, 1, 1]
        assert page.value("failed_runs_total", agent_id="support", reason="provider_auth") == 1
        assert page.value("hash_conflicts_total", agent_id="support") == 1
        assert page.value("agent_latency_slo_violations_total", agent_id="support") == 1
        within = [
            page.value("agent_execution_duration_seconds_bucket", agent_id="support", le=le)
            for le in ("1.0", "5.0", "30.0", "+Inf")
        ]
        assert within == [0, 1, 2, 2]
        assert page.value("agent_execution_duration_seconds_sum", agent_id="support") == 22
        model = {"provider": "sandbox", "model": "sandbox-1"}
        assert page.value("ai_requests_total", **model, status="success") == 3
        assert page.value("llm_requests_total", **model, outcome="provider_auth") == 1
        assert page.value("ai_tokens_total", **model, type="completion") == 48
        assert page.value("llm_tokens_total", **model, type="prompt") == 120
        assert page.value("ai_cost_usd_total", **model) == pytest.approx(0.02)
        assert page.value("ai_request_duration_seconds_count", **model) == 4
        assert page.value("llm_request_duration_seconds_sum", **model) == pytest.approx(1.6)


_ENDS = ("success", "failure", "skipped")


@SQL
def test_what_waits_and_who_works_is_told_as_it_stands(fleet: Callable[..., Page]) -> None:
    agent = an_agent("support")
    an_agent("idle")
    publish.set_enabled("idle", enabled=False, now=NOW)
    WorkerProcess.objects.create(
        id="w1",
        role="worker",
        host="box",
        pid=1,
        slots=8,
        started_at=NOW,
        beat_at=NOW + timedelta(seconds=59),
    )
    WorkerProcess.objects.create(id="w2", role="worker", host="box", pid=2, started_at=NOW, beat_at=NOW)
    record(agent, "waits", room=0)
    record(agent, "queued")
    id_ = record(agent, "runs")
    transitions.claim(id_, worker="w1", now=NOW)
    run(agent, "dead", FAILED)

    page = fleet()

    assert [page.value("runs", status=one) for one in ("pending", "queued", "running")] == [1, 1, 1]
    assert page.value("due_runs", agent_id="support") == 1
    assert page.value("oldest_due_seconds", agent_id="support") == 60
    assert page.value("agent_stream_pending", agent_id="support", stream="mongoclaw") == 1
    assert page.value("agent_stream_inflight", agent_id="support", stream="mongoclaw") == 1
    assert page.value("queue_size", queue="mongoclaw") == 1
    assert page.value("queue_pending", queue="mongoclaw", consumer_group="mongoclaw-workers") == 1
    assert page.value("dispatch_queue_fullness", stream="mongoclaw") == 2 / 16
    assert page.value("workers_active", pool="threads") == 1
    assert page.value("worker_slots") == 8
    assert page.value("worker_processing", pool="threads") == 1
    assert page.value("dlq_size") == 1
    assert page.value("dead_letters", agent_id="support", reason="provider_auth") == 1
    assert [page.value("agents_total", status=one) for one in ("enabled", "disabled")] == [1, 1]
    assert page.value("scrape_source_up", source="sql") == 1


@SQL
def test_what_holds_calls_up_is_told_and_what_does_not_is_0(
    fleet: Callable[..., Page], redis_url: str
) -> None:
    an_agent("support", max_concurrency=1)
    redis = Redis.from_url(redis_url, decode_responses=True)
    limiter = Limiter(redis, lease_seconds=6, monotonic=time.monotonic)
    account = "metrics-test"
    assert fleet().value("agent_quarantine_active", agent_id="support") == 0
    try:
        paused = Lesson("pause", f"cooldown:{account}", Reason.PROVIDER_COOLDOWN, 9_000, 1_000, 60_000)
        limiter.report(paused)
        limiter.report(Lesson("pause", f"circuit:{account}", Reason.CIRCUIT_OPEN, 9_000, 1_000, 60_000))
        limiter.report(Lesson("pause", "agent:support", Reason.QUARANTINED, 9_000, 1_000, 60_000))

        page = fleet()

        held = page.value("calls_paused_seconds", name=f"cooldown:{account}", reason="provider_cooldown")
        assert held is not None
        assert 5 < held <= 9
        assert page.value("circuit_breaker_state", name=account) == 2
        assert page.value("agent_quarantine_active", agent_id="support") == 1
    finally:
        for name in (f"cooldown:{account}", f"circuit:{account}", "agent:support"):
            limiter.lift(name)
        redis.close()


@SQL
def test_beyond_the_limit_agents_are_told_together_and_the_oldest_keep_their_names(
    fleet: Callable[..., Page],
) -> None:
    for name in ("first", "second", "third"):
        run(an_agent(name), name, WRITTEN)
    count_all(now=NOW + timedelta(hours=1))

    page = fleet(agents=1)

    assert page.value("agent_executions_total", agent_id="first", status="success") == 1
    assert page.value("agent_executions_total", agent_id="_other", status="success") == 2
    assert 'agent_id="second"' not in page.text


@SQL
def test_a_scrape_asks_as_much_however_long_the_ledger_is(fleet: Callable[..., Page]) -> None:
    def questions() -> int:
        with CaptureQueriesContext(connection) as asked:
            fleet()
        return len(asked)

    agent = an_agent("support")
    run(agent, "one", WRITTEN)
    record(agent, "waits", room=0)
    count_all(now=NOW + timedelta(hours=1))
    questions()  # an agent's version is read once
    before = questions()
    for number in range(20):
        run(agent, str(number), WRITTEN)
        record(agent, f"waits {number}", room=0)
    assert questions() == before


@pytest.fixture
def web(
    monkeypatch: pytest.MonkeyPatch, mongo_uri: str, redis_url: str, mongo_db: Database[Any]
) -> Iterator[Callable[..., None]]:
    """Let the web server run with settings of the test's choice."""

    def forget() -> None:
        servers._mongo.cache_clear()
        views.fleet.cache_clear()

    def point(**values: str) -> None:
        forget()
        base = {"MONGODB__URI": mongo_uri, "MONGODB__DATABASE": mongo_db.name, "REDIS__URL": redis_url}
        settings = load_settings({f"MONGOCLAW_{name}": value for name, value in (base | values).items()})
        for module in (servers, streams, views, access):
            monkeypatch.setattr(module, "current", lambda: settings)

    point()
    yield point
    servers.mongo().close()
    forget()


PRODUCTION = {
    "ENVIRONMENT": "production",
    "SECURITY__SECRET_KEY": "s" * 40,
    "DATABASE__URL": "sqlite:///none.sqlite3",
}


@SQL
def test_the_page_is_prometheus_text_with_the_streams_and_our_own_requests(
    web: Callable[..., None], client: Client, mongo_db: Database[Any]
) -> None:
    an_agent("support", mongo_db.name)
    client.get("/api/v1/backfills/no-such-thing")
    client.get("/no/such/address")

    answer = client.get("/metrics", headers={"Accept": "application/json"})

    assert answer.status_code == 200
    assert answer["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    page = Page(answer.content.decode())
    assert page.value("stream_state", stream=mongo_db.name, state="unwatched") == 1
    assert page.value("watchers_active") == 0
    assert page.value("scrape_source_up", source="mongodb") == 1
    assert page.value("info", name="mongoclaw", version=_version()) == 1
    endpoint = "/api/v1/backfills/<str:backfill_id>"
    assert (page.value("http_requests_total", method="GET", endpoint=endpoint, status="401") or 0) >= 1
    assert (page.value("http_requests_total", method="GET", endpoint="_unmatched", status="404") or 0) >= 1
    assert "no-such-thing" not in page.text


def _version() -> str:
    from mongoclaw_project import __version__

    return __version__


@SQL
def test_a_source_that_is_away_is_told_and_the_others_are_shown(
    web: Callable[..., None], client: Client
) -> None:
    an_agent("support")
    web(REDIS__URL="redis://127.0.0.1:9/0", MONGODB__URI="mongodb://127.0.0.1:9/")
    page = Page(client.get("/metrics").content.decode())
    up = [page.value("scrape_source_up", source=name) for name in ("sql", "redis", "mongodb")]
    assert up == [1, 0, 0]
    assert page.value("agents_total", status="enabled") == 1
    assert page.value("circuit_breaker_state", name="sandbox") is None


@SQL
def test_where_sql_is_away_no_other_source_is_blamed_for_it(web: Callable[..., None], client: Client) -> None:
    def refuse(*_: object) -> None:
        raise OperationalError("away")

    web()
    with connection.execute_wrapper(refuse):
        page = Page(client.get("/metrics").content.decode())
    up = [page.value("scrape_source_up", source=name) for name in ("sql", "redis", "mongodb")]
    assert up == [0, None, None]


@SQL
@pytest.mark.parametrize(
    ("settings", "headers", "status"),
    [
        ({}, {}, 200),
        (PRODUCTION, {}, 401),
        (PRODUCTION | {"OBSERVABILITY__METRICS_ACCESS": "127.0.0.0/8"}, {}, 200),
        (PRODUCTION | {"OBSERVABILITY__METRICS_ACCESS": "10.0.0.0/8"}, {}, 401),
        (PRODUCTION | {"OBSERVABILITY__METRICS_ACCESS": "127.0.0.0/8"}, {"X-Forwarded-For": "1.2.3.4"}, 401),
        (PRODUCTION | {"OBSERVABILITY__METRICS_ACCESS": "*"}, {"X-Forwarded-For": "1.2.3.4"}, 200),
        ({"OBSERVABILITY__METRICS_ACCESS": "10.0.0.0/8"}, {}, 401),
        ({"OBSERVABILITY__METRICS_ENABLED": "false"}, {}, 404),
    ],
)
def test_outside_development_a_network_must_be_named(
    web: Callable[..., None], client: Client, settings: dict[str, str], headers: dict[str, str], status: int
) -> None:
    web(**settings)
    assert client.get("/metrics", headers=headers).status_code == status


@SQL
def test_whoever_may_view_figures_may_read_them_and_others_may_not(
    web: Callable[..., None], client: Client
) -> None:
    web(**PRODUCTION)
    user = User.objects.create_user("prometheus", password="of course")
    client.force_login(user)
    assert client.get("/metrics").status_code == 403
    user.user_permissions.add(Permission.objects.get(codename="view_hourtally"))
    assert client.get("/metrics").status_code == 200
