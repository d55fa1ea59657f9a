"""A worker process that starts while the ledger is away."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from celery.signals import worker_ready, worker_shutdown
from django.db import connection

from executions_app.models import WorkerProcess
from tasks import process

pytestmark = [pytest.mark.sql, pytest.mark.django_db(transaction=True)]
TABLE = WorkerProcess._meta.db_table


class Consumer:
    """What Celery hands over when a worker of eight threads is ready: its consumer, which knows the worker."""

    pool_cls = "celery.concurrency.thread:TaskPool"
    concurrency = 8

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


def test_it_says_how_many_runs_it_does_at_a_time_as_soon_as_the_ledger_is_back() -> None:
    consumer = Consumer()
    with without_ledger():
        worker_ready.send(sender=consumer)

    try:
        process.runtime()

        assert WorkerProcess.objects.get().slots == 8
    finally:
        worker_shutdown.send(sender=consumer)
