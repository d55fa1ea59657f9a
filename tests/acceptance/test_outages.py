"""Outages as long as the promise says: a broker away for a minute, a PostgreSQL killed for 20 s. `make outages`."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from sandbox.embedded import start_postgres, start_valkey
from tests.acceptance.conftest import ROOT, Fleet

pytestmark = [pytest.mark.faults, pytest.mark.timeout(400)]


@pytest.fixture
def postgres_directory() -> Iterator[Path]:
    """A directory that PostgreSQL's own user may enter."""
    with tempfile.TemporaryDirectory(prefix="mongoclaw-outage-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)
        yield Path(name)


def insert_for(fleet: Fleet, seconds: int, *, each: int, start: int) -> None:
    """Insert some documents a second."""
    for second in range(seconds):
        fleet.insert(each, start=start + second * each)
        threading.Event().wait(1)


def test_a_broker_that_is_away_for_a_minute_of_inserts_loses_nothing(fleet: Fleet) -> None:
    fleet.publish()
    fleet.start()
    port = int(fleet.broker.url.rpartition(":")[2].partition("/")[0])
    fleet.broker.kill()
    insert_for(fleet, 60, each=10, start=0)

    fleet.broker = start_valkey(fleet.directory / "valkey-again", port=port)

    fleet.wait_for(lambda: fleet.enriched() == 600, seconds=90)
    assert fleet.model.calls()["total"] == 600


def test_a_postgresql_that_is_away_for_20_seconds_under_load_loses_and_doubles_nothing(
    fleet: Fleet, postgres_directory: Path
) -> None:
    server = start_postgres(postgres_directory / "data")
    fleet = replace(fleet, environ={**fleet.environ, "MONGOCLAW_DATABASE__URL": server.url})
    migrate = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
    subprocess.run(migrate, env=fleet.environ, cwd=ROOT, check=True, timeout=60)
    fleet.model.set_latency(500)
    fleet.publish()
    fleet.start()
    fleet.insert(200)
    fleet.wait_for(lambda: fleet.model.calls()["in_flight"] > 30)
    server.kill()
    insert_for(fleet, 20, each=5, start=1000)

    server = start_postgres(postgres_directory / "data")

    fleet.wait_for(lambda: fleet.enriched() == 300, seconds=90)
    fleet.wait_until_idle()
    for name in list(fleet.children):
        fleet.stop(name)
    server.stop()
    assert fleet.model.calls()["total"] == 300
