"""A RabbitMQ of one's own, beside whatever the machine runs."""

from __future__ import annotations

from pathlib import Path

from kombu import Connection

from sandbox.embedded import RunningServer
from tests.conditions import eventually


def processes_in(directory: Path) -> list[str]:
    """The commands that run in a directory, which is where a server's own processes are."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if (entry / "cwd").readlink().is_relative_to(directory):
                found.append((entry / "cmdline").read_text().partition("\0")[0])
        except OSError:
            continue
    return found


def test_it_answers_and_leaves_no_process_behind(own_rabbitmq: RunningServer) -> None:
    with Connection(own_rabbitmq.url) as connection:
        connection.connect()
        assert connection.connection.server_properties["product"] == "RabbitMQ"
    assert len(processes_in(own_rabbitmq.data_dir)) >= 2

    own_rabbitmq.stop()

    eventually(lambda: not processes_in(own_rabbitmq.data_dir), seconds=10)
    assert not own_rabbitmq.is_alive()
