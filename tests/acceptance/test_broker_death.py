"""A broker that is killed under its workers: they wait for it, whatever they were doing."""

from __future__ import annotations

from sandbox.embedded import start_valkey
from tests.acceptance.conftest import Fleet


def test_a_broker_killed_with_runs_in_the_air_takes_no_worker_with_it(fleet: Fleet) -> None:
    fleet.model.set_latency(2000)
    fleet.publish()
    fleet.start()
    fleet.insert(20)
    fleet.wait_for(lambda: fleet.model.calls()["in_flight"] == 20)
    worker = fleet.children["worker"]

    # Back at once: the worker finds the old connection dead while its messages are not acknowledged yet.
    fleet.broker.kill()
    fleet.broker = start_valkey(fleet.directory / "valkey-again", port=fleet.broker.port)

    fleet.wait_for(lambda: fleet.enriched() == 20)
    fleet.wait_until_idle()
    fleet.insert(20, start=20)
    fleet.wait_for(lambda: fleet.enriched() == 40)
    assert worker.is_alive()
    assert fleet.model.calls()["total"] == 40
