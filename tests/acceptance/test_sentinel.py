"""Valkey under Sentinel as the broker: its master is killed, the replica takes its place, and work goes on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from redis import Redis

from sandbox.embedded import RunningServer, start_sentinel, start_valkey
from tests.acceptance.conftest import Fleet
from tests.conditions import eventually


@dataclass(frozen=True)
class Pair:
    """A master, its replica, and the Sentinel that watches both."""

    master: RunningServer
    replica: RunningServer
    sentinel: RunningServer


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    with ExitStack() as stack:

        def kept(server: RunningServer) -> RunningServer:
            stack.callback(server.kill)
            return server

        master = kept(start_valkey(tmp_path / "master"))
        replica = kept(start_valkey(tmp_path / "replica", replica_of=master.port))
        sentinel = kept(start_sentinel(tmp_path / "sentinel", master_port=master.port))
        with Redis(port=sentinel.port, decode_responses=True) as client:
            eventually(lambda: client.sentinel_slaves("mymaster"), seconds=30)
        yield Pair(master, replica, sentinel)


def test_work_goes_on_when_the_master_is_killed_and_its_replica_takes_over(fleet: Fleet, pair: Pair) -> None:
    fleet.environ["MONGOCLAW_BROKER__URL"] = pair.sentinel.url
    fleet.model.set_latency(1000)
    fleet.publish()
    fleet.start()
    fleet.insert(20)
    fleet.wait_for(lambda: fleet.model.calls()["in_flight"] == 20)
    worker = fleet.children["worker"]

    pair.master.kill()
    fleet.insert(20, start=20)

    fleet.wait_for(lambda: fleet.enriched() == 40)
    fleet.wait_until_idle()
    assert worker.is_alive()
    assert fleet.model.calls()["total"] == 40
    with Redis(port=pair.replica.port) as client:
        assert client.role()[0] == b"master"  # type: ignore[index,unused-ignore]
