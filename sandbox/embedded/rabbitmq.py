"""An embedded RabbitMQ, for tests and for trying it as the broker on one machine."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from sandbox.embedded.binaries import find_epmd, find_rabbitmq
from sandbox.embedded.ports import LOOPBACK, reserved_port
from sandbox.embedded.server import Recipe, RunningServer, start_server

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_CONFIGURATION: Final = """
log.console.level = warning
disk_free_limit.absolute = 50MB
vm_memory_high_watermark.absolute = 512MB
"""
# Schedulers that look for work in a loop take the cores from everybody else on the machine.
_ERLANG: Final = "+sbwt none +sbwtdcpu none +sbwtdio none"


def start_rabbitmq(data_dir: Path, *, port: int | None = None, die_with_parent: bool = True) -> RunningServer:
    """Starts RabbitMQ and waits until it listens; it knows the user guest with the password guest.

    It shares nothing with a RabbitMQ that the machine runs as a service: its name server, cookie, ports and data
    are its own. Stopping or killing it ends its name server too.
    """
    program, epmd = find_rabbitmq(), find_epmd()
    data_dir = data_dir.resolve()
    data_dir.mkdir(parents=True, exist_ok=True)
    (data_dir / "rabbitmq.conf").write_text(_CONFIGURATION)
    names = start_server(_name_server(epmd), data_dir / "epmd", die_with_parent=die_with_parent)
    try:
        with reserved_port(data_dir / "distribution.port") as distribution:
            recipe = Recipe(
                name="rabbitmq",
                # Otherwise Erlang reads commands from standard input, and ends with it.
                command=lambda _: (str(program), "-noinput"),
                url=lambda chosen: f"amqp://guest:guest@{LOOPBACK}:{chosen}//",
                environ=lambda chosen: _environment(data_dir, names.port, distribution, chosen),
                start_seconds=90,
            )
            server = start_server(recipe, data_dir, port=port, die_with_parent=die_with_parent)
    except BaseException:
        names.stop()
        raise
    return replace(server, companion=names)


def _name_server(program: Path) -> Recipe:
    return Recipe(
        name="epmd",
        command=lambda port: (str(program), "-port", str(port), "-address", LOOPBACK),
        url=lambda port: f"{LOOPBACK}:{port}",
    )


def _environment(data_dir: Path, names: int, distribution: int, port: int) -> Mapping[str, str]:
    return {
        "HOME": str(data_dir),  # where Erlang keeps the cookie
        "ERL_EPMD_PORT": str(names),
        "ERL_EPMD_ADDRESS": LOOPBACK,
        "ERL_CRASH_DUMP": "/dev/null",
        "RABBITMQ_ALLOW_INPUT": "1",  # the script becomes the server instead of watching it
        "RABBITMQ_NODENAME": "mongoclaw@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": LOOPBACK,
        "RABBITMQ_NODE_PORT": str(port),
        "RABBITMQ_DIST_PORT": str(distribution),
        "RABBITMQ_MNESIA_BASE": str(data_dir / "mnesia"),
        "RABBITMQ_LOG_BASE": str(data_dir),
        "RABBITMQ_LOGS": "-",
        "RABBITMQ_CONF_ENV_FILE": "/dev/null",
        "RABBITMQ_CONFIG_FILE": str(data_dir / "rabbitmq.conf"),
        "RABBITMQ_ADVANCED_CONFIG_FILE": str(data_dir / "advanced.config"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(data_dir / "enabled_plugins"),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": _ERLANG,
    }
