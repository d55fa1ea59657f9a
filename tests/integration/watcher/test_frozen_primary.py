"""A primary that has frozen, its connections still open, is an error that is waited out."""

from __future__ import annotations

import os
import signal
from datetime import timedelta
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.errors import PyMongoError

from sandbox.embedded.server import RunningServer
from tests.conditions import eventually
from watcher.leading.lease import Lease
from watcher.reading.cluster import look_at
from watcher.reading.position_store import PositionStore

Document = dict[str, Any]


def test_leases_and_positions_fail_in_seconds_and_work_again_when_it_wakes(own_mongod: RunningServer) -> None:
    with MongoClient[Document](own_mongod.url, serverSelectionTimeoutMS=2000) as client:
        lease = Lease(client.home.leases, "stream", "a", duration=timedelta(seconds=30))
        positions = PositionStore(client.home.positions)
        assert lease.acquire() == 1

        os.kill(own_mongod.pid, signal.SIGSTOP)
        try:
            for call in (lease.acquire, positions.times, lambda: look_at(client)):
                with pytest.raises(PyMongoError) as raised:
                    call()
                assert raised.value.timeout
        finally:
            os.kill(own_mongod.pid, signal.SIGCONT)

        assert eventually(lease.acquire)
