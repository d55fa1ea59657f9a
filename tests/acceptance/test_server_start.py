"""`mongoclaw server start`: all processes of one machine under one command."""

from __future__ import annotations

import os
import signal

from sandbox.embedded.ports import reserved_port
from tests.acceptance.conftest import Fleet
from tests.conditions import eventually

WORKER = "SELECT pid FROM executions_app_workerprocess WHERE role = 'worker' ORDER BY started_at DESC"


def test_one_command_enriches_and_serves_and_a_sigterm_ends_it_cleanly(fleet: Fleet) -> None:
    fleet.publish()
    with reserved_port(fleet.directory / "web.port") as number:
        port = str(number)
        words = ("mongoclaw_project", "server", "start", "--host", "127.0.0.1", "--port", port)
        started = fleet.start_module("together", *words)
        fleet.wait_for(lambda: "stream.opened" in fleet.log("together"))
    fleet.insert(1)
    fleet.wait_for(lambda: fleet.enriched() == 1)
    assert fleet.cli("server", "status", "--url", f"http://127.0.0.1:{port}").stdout.startswith("✓")
    started.process.send_signal(signal.SIGTERM)
    assert started.process.wait(40) == 0
    assert "everything is stopped" in fleet.log("together")
    fleet.children.pop("together").kill()


def test_a_worker_that_dies_ends_its_command_so_that_a_service_manager_starts_it_anew(fleet: Fleet) -> None:
    started = fleet.start_module("together", "mongoclaw_project", "server", "run")
    (pid,) = fleet.wait_for(lambda: fleet.rows(WORKER))[0]
    os.kill(pid, signal.SIGKILL)
    assert started.process.wait(40) == 1
    eventually(lambda: "worker was killed by SIGKILL" in fleet.log("together"))
    fleet.children.pop("together").kill()
