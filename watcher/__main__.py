"""`python -m watcher`: the edge that builds the watcher from the settings and runs it until it is told to stop."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
import time
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import django

if TYPE_CHECKING:
    from pymongo import MongoClient
    from pymongo.database import Database

    from mongoclaw_project.config import Settings
    from watcher.process import DispatchKeeper, StreamKeeper

Document = dict[str, Any]


def main(arguments: list[str] | None = None) -> int:
    """Run the roles that were asked for; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m watcher", description="Watch change streams, keep work moving."
    )
    parser.add_argument("--role", choices=["all", "stream", "dispatch"], default="all")
    role = parser.parse_args(arguments).role
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mongoclaw_project.settings")
    from agents_app.errors import MongoClawError
    from mongoclaw_project.starting import settings_or_exit

    settings_or_exit()
    try:
        django.setup()
        return _run(role)
    except MongoClawError as error:
        sys.stderr.write(f"watcher: {error}\n")
        return 1


def _now() -> datetime:
    return datetime.now(UTC)


def _run(role: str) -> int:
    import structlog

    from mongoclaw_project.config import current
    from watcher.connection import connect

    settings = current()
    client = connect(settings.mongodb.uri, settings.mongodb.server_selection_timeout_ms)
    holder = uuid.uuid4().hex
    # A watcher that waits for another one's lease says nothing else.
    structlog.get_logger(__name__).info("watcher.started", role=role, holder=holder)
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    keepers = []
    if role in {"all", "stream"}:
        keepers.append(_Side("stream", _stream_keeper(settings, client, holder), 0.5, stopping))
    if role in {"all", "dispatch"}:
        keepers.append(_Side("dispatch", _dispatch_keeper(settings, client, holder), 0.25, stopping))
    for keeper in keepers:
        keeper.start()
    while not stopping.wait(0.2):
        if any(not keeper.is_alive() for keeper in keepers):
            stopping.set()
    for keeper in keepers:
        keeper.join(10)
    client.close()
    return 1 if any(keeper.failed for keeper in keepers) else 0


class _Side(threading.Thread):
    """A named side task; its death stops the process."""

    def __init__(
        self, name: str, keeper: StreamKeeper | DispatchKeeper, pause: float, stopping: threading.Event
    ) -> None:
        super().__init__(name=name, daemon=True)
        self._keeper = keeper
        self._pause = pause
        self._stopping = stopping
        self.failed = False

    def run(self) -> None:
        import structlog
        from pymongo.errors import PyMongoError

        from watcher.process import keep

        try:
            keep(self.name, self._keeper.step, pause=self._pause, stopping=self._stopping)
        except Exception:  # noqa: BLE001  # whatever ends it, the main thread must learn of it
            self.failed = True
            structlog.get_logger(__name__).exception("watcher.side_task_died", task=self.name)
        finally:
            self._keeper.stop()
            try:
                self._keeper.lease.release()
            except PyMongoError:
                structlog.get_logger(__name__).warning("lease.not_released", task=self.name)


def _home(settings: Settings, client: MongoClient[Document]) -> Database[Document]:
    return client.get_database(settings.mongodb.database)


def _term(settings: Settings) -> timedelta:
    return timedelta(seconds=settings.watcher.lease_seconds)


def _stream_keeper(settings: Settings, client: MongoClient[Document], holder: str) -> StreamKeeper:
    from agents_app.publish import mark_health, mark_watched
    from mongoclaw_project.celery import app
    from watcher.ingest import Ingest
    from watcher.lease import Lease
    from watcher.position import PositionStore
    from watcher.process import StreamKeeper
    from watcher.publisher import Publisher
    from watcher.reader import Reading

    def unhealthy(agent: str, reason: str) -> None:
        mark_health(agent, "unhealthy", reason)

    home = _home(settings, client)
    ingest = Ingest(
        Publisher(app),
        window=settings.worker.window_per_agent,
        unhealthy=unhealthy,
        now=_now,
        monotonic=time.monotonic,
    )
    reading = Reading(
        client=client,
        positions=PositionStore(home[settings.mongodb.resume_tokens_collection]),
        ingest=ingest,
        watched=mark_watched,
        unhealthy=unhealthy,
        max_await_ms=settings.watcher.max_await_ms,
        position_interval=settings.watcher.position_interval_seconds,
        now=_now,
        monotonic=time.monotonic,
    )
    return StreamKeeper(Lease(home["leases"], "stream", holder, duration=_term(settings)), reading, {})


def _dispatch_keeper(settings: Settings, client: MongoClient[Document], holder: str) -> DispatchKeeper:
    from executions_app.heartbeat import Heartbeat
    from mongoclaw_project.celery import app
    from watcher.dispatch import Dispatch
    from watcher.lease import Lease
    from watcher.process import DispatchKeeper
    from watcher.publisher import Publisher
    from watcher.vitality import Vitality

    pulse = Heartbeat(holder, role="dispatch", interval=settings.worker.heartbeat_seconds, now=_now)
    dispatch = Dispatch(
        publisher=Publisher(app),
        window=settings.worker.window_per_agent,
        beat=pulse.beat,
        vitality=Vitality(settings.worker.heartbeat_timeout_seconds),
        now=_now,
        monotonic=time.monotonic,
    )
    term = _term(settings)
    lease = Lease(_home(settings, client)["leases"], "dispatch", holder, duration=term)
    return DispatchKeeper(lease, dispatch, renew_every=term.total_seconds() / 3, monotonic=time.monotonic)


if __name__ == "__main__":
    sys.exit(main())
