"""Examining what runs: workers, and the work that waits for them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

from executions_app.models import Execution, WorkerProcess
from executions_app.states import Status
from mongoclaw_project.cli import sql
from mongoclaw_project.cli.doctor.finding import Finding, bad, doubtful, good
from mongoclaw_project.config import current

POLL_SECONDS: Final = 0.1
LATE: Final = timedelta(minutes=1)
"""A run that could have started this long ago and has not waits for a process that does not work."""

RECENTLY: Final = timedelta(hours=1)
_UNFINISHED: Final = (Status.PENDING, Status.QUEUED, Status.RUNNING)
_START_WORKER: Final = "start one: `celery -A mongoclaw_project worker`, or `mongoclaw dev` for everything"


def examine_workers() -> Iterator[Finding]:
    """Watch the heartbeats for as long as two of them take: no clock is compared with another."""
    try:
        with sql.explained():
            before = _beats()
            alive = _beating(before)
            yield from _workers(before, alive)
    except sql.SqlUnusable as error:
        yield bad(f"workers are not known: {error.what}", error.remedy)


def examine_work() -> Iterator[Finding]:
    """Count the rows of the ledger that somebody should know about."""
    try:
        with sql.explained():
            yield from _work(datetime.now(UTC))
    except sql.SqlUnusable as error:
        yield bad(f"the ledger cannot be read: {error.what}", error.remedy)


def _beats() -> dict[str, tuple[int, str, str]]:
    rows = WorkerProcess.objects.values_list("id", "beat", "role", "host", "pid")
    return {id_: (beat, role, f"{host}, process {pid}") for id_, beat, role, host, pid in rows}


def _beating(before: dict[str, tuple[int, str, str]]) -> set[str]:
    settings = current().worker
    deadline = time.monotonic() + min(
        2 * settings.heartbeat_seconds + 0.5, settings.heartbeat_timeout_seconds
    )
    alive: set[str] = set()
    while before.keys() - alive and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
        alive |= {id_ for id_, (beat, *_) in _beats().items() if id_ in before and beat != before[id_][0]}
    return alive


def _workers(known: dict[str, tuple[int, str, str]], alive: set[str]) -> Iterator[Finding]:
    workers = {id_: where for id_, (_, role, where) in known.items() if role == "worker"}
    running = [where for id_, where in workers.items() if id_ in alive]
    if running:
        yield good(f"workers alive: {len(running)} ({'; '.join(sorted(running))})")
    else:
        yield bad("no worker process is alive", _START_WORKER)
    for id_, where in sorted(workers.items()):
        if id_ not in alive:
            yield doubtful(
                f"a worker stopped giving signs of life: {where}",
                "nothing to do: dispatch gives its runs to others and takes its row away",
            )


def _work(now: datetime) -> Iterator[Finding]:
    # One status at a time: SQLite finds the partial index of one, but not of several.
    counts = {status: Execution.objects.filter(status=status).count() for status in _UNFINISHED}
    shown = ", ".join(f"{count} {status.value}" for status, count in counts.items())
    yield good(f"unfinished executions: {shown}")
    late = Execution.objects.filter(
        status=Status.PENDING, due_at__lt=now - LATE, agent__enabled=True, agent__archived_at=None
    )
    if late.exists():
        yield doubtful(
            f"{late.count()} executions have been due for more than a minute",
            "look at workers and watchers above; if both are alive, start more workers",
        )
    failed = Execution.objects.filter(status=Status.FAILED, created_at__gte=now - RECENTLY).count()
    if failed:
        yield doubtful(
            f"{failed} executions of the last hour have failed",
            "`mongoclaw executions list --status failed` shows them",
        )
