"""A worker process that starts while the ledger is away."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from celery.signals import worker_ready, worker_shutdown
from django.db import connection

from executions_app.models import WorkerProcess
from tasks import process
from tasks.exporter import Pulse
from tests.conditions import eventually

pytestmark = [pytest.mark.sql, pytest.mark.django_db(transaction=True)]
TABLE = WorkerProcess._meta.db_table


class Consumer:
    """What Celery hands over when a worker of eight threads is ready: its consumer, which knows the worker."""

    pool_cls = "celery.concurrency.thread:TaskPool"
    concurrency = 8
    connection = "to the broker"

    @property
    def controller(self) -> Consumer:
        return self


def rename(before: str, after: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {before} RENAME TO {after}")


@contextmanager
def without_ledger() -> Iterator[None]:
    rename(TABLE, "away")
    try:
        yield
    finally:
        rename("away", TABLE)


def test_it_is_known_with_its_slots_as_soon_as_the_ledger_is_back_though_no_message_comes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pulses: list[Pulse] = []
    monkeypatch.setattr(process, "open_exporter", lambda _settings, pulse: pulses.append(pulse))
    consumer = Consumer()
    unseen = "its heartbeat does not reach the SQL database"
    with without_ledger():
        worker_ready.send(sender=consumer)
        (pulse,) = pulses
        assert pulse.readiness().reasons == (unseen,)

    try:
        eventually(lambda: pulse.readiness().is_ready)

        assert WorkerProcess.objects.get().slots == 8
    finally:
        worker_shutdown.send(sender=consumer)
