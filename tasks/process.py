"""The worker process: what is built when it starts and taken down when it stops."""

from __future__ import annotations

import os
import threading
import time
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import structlog
from celery.signals import celeryd_init, worker_ready, worker_shutdown, worker_shutting_down
from django.db import Error as DatabaseError
from django.db import connection
from pymongo import MongoClient

from enrichment.providers import ProviderConfig
from enrichment.providers.egress import Egress
from executions_app import transitions
from executions_app.database import drop_broken_connection
from executions_app.heartbeat import Heartbeat
from executions_app.limits import Limiter
from executions_app.limits.limiter import Budget, connect
from executions_app.metrics.endpoint import Endpoint
from executions_app.routes import Routes
from mongoclaw_project.config import Settings, current
from tasks.exporter import Pulse, open_exporter
from tasks.gate import Gate
from tasks.memory import bound_malloc_arenas
from tasks.queues import QueueKeeper, WantedQueues
from tasks.runtime import Runtime

_LOCK: Final = threading.Lock()
_STATE: dict[str, Any] = {}
_GONE: Final = threading.Event()
_ASKED_TO_STOP: Final = threading.Event()
_EXPORTERS: Final[list[Endpoint | None]] = []
"""Kept so that they are not collected; they end with the process."""

_SHAPE: Final = {"slots": 1}
"""How many runs the process does at a time; a forked child does one."""

log = structlog.get_logger(__name__)


def runtime() -> Runtime:
    """Give this process's runtime, building it and starting its heartbeat on first use (after any fork)."""
    with _LOCK:
        if _STATE.get("pid") != os.getpid():
            _STATE.clear()
            _STATE.update(_build())
        built: Runtime = _STATE["runtime"]
        return built


def _build() -> dict[str, Any]:
    settings = current()
    shared = _make_runtime(settings)
    interval, slots = settings.worker.heartbeat_seconds, _SHAPE["slots"]
    beat = Heartbeat(shared.worker_id, role="worker", interval=interval, now=shared.now, slots=slots)
    try:
        beat.start()
    except BaseException:
        # While the ledger is away each message tries again.
        shared.mongo.close()
        raise
    shared.gate.start()
    return {"pid": os.getpid(), "runtime": shared, "heartbeat": beat}


def _make_runtime(settings: Settings) -> Runtime:
    return Runtime(
        worker_id=uuid.uuid4().hex,
        mongo=MongoClient(
            settings.mongodb.uri,
            serverSelectionTimeoutMS=settings.mongodb.server_selection_timeout_ms,
            maxPoolSize=settings.mongodb.max_pool_size,
            appname="mongoclaw-worker",
        ),
        providers=ProviderConfig(
            sandbox_url=settings.ai.sandbox_url,
            request_timeout=settings.ai.request_timeout,
            pool_size=settings.worker.pool_size,
            direct=settings.ai.direct_client,
            egress=Egress.allowing(settings.security.egress_allow, loopback=settings.is_development),
            env=dict(os.environ),
            secrets_dir=settings.security.secrets_dir,
        ),
        gate=_gate(settings),
    )


def _gate(settings: Settings) -> Gate:
    worker = settings.worker
    lease = worker.heartbeat_timeout_seconds
    limiter = Limiter(connect(settings.redis.url), lease_seconds=lease, monotonic=time.monotonic)
    budget = Budget(
        worker.agent_error_budget_max_failures,
        worker.agent_error_budget_window_seconds,
        worker.agent_quarantine_seconds,
    )
    return Gate(limiter, budget, lease_seconds=lease, monotonic=time.monotonic)


@celeryd_init.connect
def _before_threads(**_: object) -> None:
    bound_malloc_arenas()


@celeryd_init.connect
def _keep_queues(instance: Any, options: dict[str, Any], **_: object) -> None:
    """Follow the routing strategy, unless the worker was told its queues: `celery worker -Q`."""
    if options.get("queues"):
        return
    wanted = WantedQueues(Routes(current(), monotonic=time.monotonic))
    step = type(QueueKeeper.__name__, (QueueKeeper,), {"wanted": wanted})
    instance.app.steps["consumer"].add(step)


@worker_ready.connect
def _ready(sender: Any, **_: object) -> None:
    """Build at once where no child is forked; forked children build on their first message."""
    forks = "prefork" in str(sender.controller.pool_cls)
    settings = current()
    if not forks:
        _SHAPE["slots"] = sender.controller.concurrency
        if not _has_begun():
            pause = settings.worker.heartbeat_seconds
            threading.Thread(target=_begin_in_time, args=(pause,), name="beginning", daemon=True).start()
    pulse = Pulse(
        lambda: _STATE.get("heartbeat"),
        sender,
        forks=forks,
        is_stopping=_ASKED_TO_STOP.is_set,
        patience=timedelta(seconds=settings.worker.heartbeat_timeout_seconds),
        now=lambda: datetime.now(UTC),
    )
    _EXPORTERS.append(open_exporter(settings, pulse))


def _has_begun() -> bool:
    """Build the runtime and begin to beat; tell if the ledger was there for it."""
    try:
        runtime()
    except DatabaseError as error:
        log.warning("worker.waits_for_ledger", error=type(error).__name__)
        drop_broken_connection()
        return False
    return True


def _begin_in_time(pause: float) -> None:
    """Try again until the ledger is there: an idle worker has no message that would, and nobody would know of it."""
    while not _ASKED_TO_STOP.wait(pause) and not _has_begun():
        pass
    connection.close()


@worker_shutting_down.connect
def _stopping(**_: object) -> None:
    _ASKED_TO_STOP.set()
    if "runtime" in _STATE:
        _STATE["runtime"].stopping.set()
        _STATE["heartbeat"].leave()
        threading.Thread(target=_leave_in_time, name="leaving", daemon=True).start()


def _leave_in_time() -> None:
    """Let runs that have begun come to their end; what has not after the time for it is handed back at once.

    A thread cannot be stopped and Celery waits for it as long as it takes; whoever has asked the process to stop
    kills it in the end. A run that goes on in the meantime has lost its claim and writes nothing.
    """
    shared = runtime()
    if _GONE.wait(current().worker.shutdown_timeout):
        return
    try:
        handed_back = transitions.reclaim([shared.worker_id], now=shared.now())
        log.warning("worker.left_in_time", worker=shared.worker_id, handed_back=handed_back)
        _STATE["heartbeat"].stop()
    except DatabaseError as error:
        # Dispatch takes what is left behind, as from any dead worker.
        log.warning("worker.left_runs_behind", worker=shared.worker_id, error=type(error).__name__)
    finally:
        os._exit(0)


@worker_shutdown.connect
def _stopped(**_: object) -> None:
    _GONE.set()
    if _STATE.get("pid") == os.getpid():
        _STATE["heartbeat"].stop()
        _STATE["runtime"].gate.stop()
        _STATE["runtime"].mongo.close()
        _STATE.clear()
