from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from celery import Celery
from celery.fixups.django import DjangoWorkerFixup  # type: ignore[attr-defined]  # celery-types lacks it
from django.contrib.auth.models import Group
from django.core.checks import run_checks
from django.db import DatabaseError, connection, connections, transaction

from mongoclaw_project.celery import app

sqlite_only = pytest.mark.skipif("connection.vendor != 'sqlite'", reason="about SQLite")
postgresql_only = pytest.mark.skipif("connection.vendor != 'postgresql'", reason="about PostgreSQL")


@pytest.fixture
def _connected() -> Iterator[None]:
    connection.ensure_connection()
    yield
    connection.close()


@sqlite_only
@pytest.mark.django_db
def test_sqlite_writes_ahead_and_syncs_normally() -> None:
    with connection.cursor() as cursor:
        journal = cursor.execute("PRAGMA journal_mode").fetchone()[0]
        synchronous = cursor.execute("PRAGMA synchronous").fetchone()[0]
        timeout = cursor.execute("PRAGMA busy_timeout").fetchone()[0]
    assert (journal, synchronous, timeout) == ("wal", 1, 20_000)


@pytest.mark.django_db(transaction=True)
def test_threads_that_read_and_then_write_never_meet_a_locked_database() -> None:
    counted = Group.objects.create(name="0").pk  # beside the groups that every database has
    errors: list[Exception] = []

    def count_up() -> None:
        try:
            for _ in range(25):
                with transaction.atomic():
                    row = Group.objects.select_for_update().get(pk=counted)
                    row.name = str(int(row.name) + 1)
                    row.save()
        except DatabaseError as error:
            errors.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=count_up) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert errors == []
    assert Group.objects.get(pk=counted).name == "200"


@sqlite_only
@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("_connected")
def test_celery_keeps_the_sqlite_connection_of_a_thread_from_task_to_task() -> None:
    before = connection.connection
    fixup = DjangoWorkerFixup(app)
    for _ in range(1000):
        fixup.close_database()
    assert connection.connection is before


@sqlite_only
@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("_connected")
def test_without_our_key_celery_would_close_it() -> None:
    DjangoWorkerFixup(Celery("plain", set_as_current=False)).close_database()
    assert connection.connection is None


@postgresql_only
@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("_connected")
def test_celery_hands_the_postgresql_connection_back_to_the_pool() -> None:
    pool = connection.pool  # type: ignore[attr-defined]
    DjangoWorkerFixup(app).close_database()
    assert connection.connection is None
    assert not pool.closed


@pytest.mark.django_db
def test_djangos_checks_find_nothing_to_complain_about() -> None:
    assert run_checks() == []
