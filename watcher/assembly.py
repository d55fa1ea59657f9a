"""The watcher put together from its settings: leases, side tasks, metrics, and an orderly end."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import structlog
from celery import Celery
from pymongo import MongoClient

from agents_app.publish import mark_health, mark_watched
from executions_app.fence import Term
from executions_app.heartbeat import Heartbeat
from executions_app.limits import Allowance, Limiter
from executions_app.limits.limiter import connect as connect_limiter
from executions_app.metrics.endpoint import Endpoint, open_endpoint
from executions_app.notifications.goals import GoalKeeper, Goals
from executions_app.retention import Keeping
from executions_app.routes import Routes
from watcher.backfill.keeper import Backfilling
from watcher.leading.control import Controls, can_divide
from watcher.leading.members import Members
from watcher.leading.streaming import ROLE as STREAM
from watcher.leading.streaming import StreamKeeper
from watcher.leading.tenure import Tenures
from watcher.observing.gauges import Gauges
from watcher.observing.observer import Observer
from watcher.observing.readiness import Vital, judge
from watcher.process import Keeper, LeaderKeeper, SideTask, Work
from watcher.reading.position_store import PositionStore
from watcher.reading.reader import Reading
from watcher.recording.ingest import Ingest
from watcher.recording.pressure import OUTCOMES, Pressure, PressurePolicy
from watcher.sending.dispatch import ORPHAN_CHECK_SECONDS, Dispatch
from watcher.sending.publisher import Publisher
from watcher.sending.vitality import Vitality
from watcher.sending.windows import Windows
from watcher.telling import Courier, Post
from watcher.upkeep import Upkeep

if TYPE_CHECKING:
    from mongoclaw_project.config import Settings

log = structlog.get_logger(__name__)

DISPATCH: Final = "dispatch"
BACKFILL: Final = "backfill"
UPKEEP: Final = "upkeep"
"""Goes along with dispatch, under a lease and in a thread of its own, so that neither waits for the other."""

ROLES: Final = (STREAM, DISPATCH, BACKFILL)

IDLE_TICK: Final = 0.25
BUSY_TICK: Final = 0.05

LEAVING_SECONDS: Final = 0.8
"""How long the side tasks may take to release their leases; then they are released without them."""

ENDING_SECONDS: Final = 5.0
"""How long a side task that is in the middle of something may take to end, once nobody waits for its lease."""

Document = dict[str, Any]


def _now() -> datetime:
    return datetime.now(UTC)


class Watcher:
    """One watcher's process, from its first word to its last."""

    def __init__(
        self,
        settings: Settings,
        app: Celery,
        client: MongoClient[Document],
        roles: Sequence[str],
        stopping: threading.Event,
    ) -> None:
        roles = (*roles, UPKEEP) if DISPATCH in roles else roles
        self._settings = settings
        self._app = app
        self._stopping = stopping
        self._holder = uuid.uuid4().hex
        self._client = client
        self._home = self._client.get_database(settings.mongodb.database)
        self._positions = PositionStore(self._home[settings.mongodb.resume_tokens_collection])
        self._tenures = self._make_tenures(roles)
        self._streams = self._make_stream_keeper() if STREAM in roles else None
        self._tasks = [SideTask(role, self._make_keeper(role), stopping) for role in roles]

    def run(self) -> int:
        """Work until asked to stop or until a side task dies; returns the exit code."""
        # A watcher that waits for another one's leases says nothing else.
        log.info("watcher.started", roles=[task.name for task in self._tasks], holder=self._holder)
        observer = Observer(self._client, self._positions.times, monotonic=time.monotonic)
        endpoint = self._open_endpoint(observer)
        for thread in (self._tenures, observer, *self._tasks):
            thread.start()
        while not self._stopping.wait(0.2):
            if any(not thread.is_alive() for thread in (self._tenures, *self._tasks)):
                self._stopping.set()
        self._leave()
        observer.stop()
        if endpoint is not None:
            endpoint.close()
        self._client.close()
        return 1 if any(task.failed for task in self._tasks) else 0

    def vital(self) -> Vital:
        """Say what the process is doing; safe from any thread."""
        return Vital(
            streams=self._streams.led() if self._streams is not None else {},
            terms=self._tenures.terms(),
            steps=self._tenures.steps(),
            dead=frozenset(task.name for task in self._tasks if task.has_ended),
        )

    def _leave(self) -> None:
        """Release the leases at once: every side task its own, and after a short while those that are left.

        Whoever goes on for a moment without its lease is fenced off by the next holder.
        """
        _join(self._tasks, LEAVING_SECONDS)
        self._tenures.close()
        _join(self._tasks, ENDING_SECONDS)
        log.info("watcher.stopped", holder=self._holder)

    def _make_tenures(self, roles: Sequence[str]) -> Tenures:
        duration = timedelta(seconds=self._settings.watcher.lease_seconds)
        return Tenures(
            self._home["leases"],
            Members(self._home["watchers"], self._holder, duration=duration),
            self._holder,
            roles=roles,
            duration=duration,
            monotonic=time.monotonic,
        )

    def _make_keeper(self, role: str) -> Keeper:
        if self._streams is not None and role == STREAM:
            return self._streams
        return LeaderKeeper(role, self._tenures, self._make_work(role))

    def _make_work(self, role: str) -> Work:
        if role == DISPATCH:
            interval = self._settings.worker.heartbeat_seconds
            pulse = Heartbeat(self._holder, role=DISPATCH, interval=interval, now=_now)
            return Dispatching(self._make_dispatch(pulse.beat), pulse.withdraw)
        if role == UPKEEP:
            return self._make_upkeep()
        return Backfilling(self._client, now=_now, monotonic=time.monotonic)

    def _make_upkeep(self) -> Upkeep:
        return Upkeep(
            keeping=Keeping.days(**self._settings.retention.model_dump()),
            slo_ms=self._settings.worker.latency_slo_ms,
            now=_now,
            monotonic=time.monotonic,
            courier=self._make_courier(),
        )

    def _make_courier(self) -> Courier:
        told = self._settings.notifications
        goals = Goals(
            waiting_seconds=told.slo_waiting_seconds,
            failed_share=told.slo_failed_share,
            late_share=told.slo_late_share,
        )
        return Courier(
            post=Post(told.url, told.secret, now=_now),
            limiter=self._make_limiter(),
            goals=GoalKeeper(goals),
            monotonic=time.monotonic,
        )

    def _make_stream_keeper(self) -> StreamKeeper:
        controls = self._home["streams"]
        return StreamKeeper(
            self._tenures,
            Controls(controls),
            self._make_reading(),
            can_divide=cache(lambda: can_divide(controls)),
            monotonic=time.monotonic,
        )

    def _make_reading(self) -> Reading:
        def unhealthy(agent: str, reason: str) -> None:
            mark_health(agent, "unhealthy", reason)

        settings = self._settings
        ingest = Ingest(
            self._make_publisher(),
            windows=self._make_windows(),
            pressure=Pressure(_pressure_policy(settings), time.monotonic),
            unhealthy=unhealthy,
            now=_now,
            monotonic=time.monotonic,
        )
        return Reading(
            client=self._client,
            positions=self._positions,
            ingest=ingest,
            watched=mark_watched,
            unhealthy=unhealthy,
            max_await_ms=settings.watcher.max_await_ms,
            position_interval=settings.watcher.position_interval_seconds,
            position_idle=settings.watcher.position_idle_seconds,
            now=_now,
            monotonic=time.monotonic,
        )

    def _make_publisher(self) -> Publisher:
        return Publisher(self._app, Routes(self._settings, monotonic=time.monotonic))

    def _make_dispatch(self, beat: Callable[[], None]) -> Dispatch:
        worker = self._settings.worker
        return Dispatch(
            publisher=self._make_publisher(),
            windows=self._make_windows(),
            beat=beat,
            vitality=Vitality(
                worker.heartbeat_timeout_seconds,
                apart=worker.heartbeat_seconds + ORPHAN_CHECK_SECONDS + IDLE_TICK,
            ),
            poison_after=worker.poison_after,
            now=_now,
            monotonic=time.monotonic,
        )

    def _make_windows(self) -> Windows:
        worker = self._settings.worker
        allowance = Allowance(self._make_limiter())
        return Windows(worker.window_per_agent, worker.window_per_slot, allowance.most)

    def _make_limiter(self) -> Limiter:
        return Limiter(
            connect_limiter(self._settings.redis.url),
            lease_seconds=self._settings.worker.heartbeat_timeout_seconds,
            monotonic=time.monotonic,
        )

    def _open_endpoint(self, observer: Observer) -> Endpoint | None:
        watcher = self._settings.watcher
        patience = watcher.unpolled_seconds
        gauges = Gauges(
            self.vital,
            lambda: observer.seen,
            patience=patience,
            monotonic=time.monotonic,
        )
        return open_endpoint(
            watcher.metrics_host,
            watcher.metrics_port if self._settings.observability.metrics_enabled else 0,
            setting="MONGOCLAW_WATCHER__METRICS_PORT",
            metrics=gauges.written,
            readiness=lambda: judge(self.vital(), patience=patience, monotonic=time.monotonic()),
        )


class Dispatching:
    """Dispatch as work under a lease; `withdraw` takes back the sign of life that it gives meanwhile."""

    def __init__(self, dispatch: Dispatch, withdraw: Callable[[], None]) -> None:
        self._dispatch = dispatch
        self._withdraw = withdraw

    def step(self, term: Term) -> float:
        """Do one tick; returns the seconds until the next."""
        sent = self._dispatch.tick(term)
        return BUSY_TICK if sent or self._dispatch.windows.is_full else IDLE_TICK

    def stop(self) -> None:
        """Drop what was seen of the workers, which is old when this process leads again, and be silent from now on."""
        self._dispatch.vitality.forget()
        self._withdraw()


def _pressure_policy(settings: Settings) -> PressurePolicy:
    worker = settings.worker
    outcome = OUTCOMES.get(worker.dispatch_overflow_policy)
    return PressurePolicy(
        outcome=outcome if worker.dispatch_backpressure_enabled else None,
        high=max(1, round(worker.dispatch_backpressure_threshold * settings.redis.stream_max_len)),
        bypass=worker.dispatch_min_priority_when_backpressured,
        seconds=worker.dispatch_pressure_cache_ttl_seconds,
    )


def _join(tasks: Sequence[SideTask], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    for task in tasks:
        task.join(max(0.0, deadline - time.monotonic()))
