"""A primary that has frozen, its connections still open, is an error that is waited out."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.errors import PyMongoError

from sandbox.embedded import start_mongod
from sandbox.embedded.server import RunningServer
from sandbox.errors import BinaryMissing
from tests.conditions import eventually
from watcher.lease import Lease
from watcher.position import PositionStore
from watcher.unit import Unit

Document = dict[str, Any]


@pytest.fixture
def own_mongod(tmp_path: Path) -> Iterator[RunningServer]:
    """A server of the test's own, to be frozen."""
    try:
        server = start_mongod(tmp_path / "mongod")
    except BinaryMissing as missing:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(missing))
    try:
        yield server
    finally:
        server.kill()


def test_leases_and_positions_fail_in_seconds_and_work_again_when_it_wakes(own_mongod: RunningServer) -> None:
    with MongoClient[Document](own_mongod.url, serverSelectionTimeoutMS=2000) as client:
        lease = Lease(client.home.leases, "stream", "a", duration=timedelta(seconds=30))
        positions = PositionStore(client.home.positions)
        assert lease.acquire() == 1

        os.kill(own_mongod.pid, signal.SIGSTOP)
        try:
            for call in (lease.acquire, lambda: positions.load(Unit("shop"))):
                with pytest.raises(PyMongoError) as raised:
                    call()
                assert raised.value.timeout
        finally:
            os.kill(own_mongod.pid, signal.SIGCONT)

        assert eventually(lease.acquire) == 1
