"""Finding all processes of one run, so that none can be left behind unseen."""

from __future__ import annotations

import os
from pathlib import Path

from sandbox.identity import read_pid_file

MARK = "MARKED_BY_TEST"


def processes_of(data_dir: Path) -> set[int]:
    """The pids that carry MARK with this directory in their environment, or that its pid files name.

    Valkey writes its title over its environment.
    """
    mark = f"{MARK}=".encode() + os.fsencode(str(data_dir)) + b"\0"
    servers = [read_pid_file(path) for path in data_dir.glob("*/*.pid")]
    found = {server.pid for server in servers if server is not None and server.is_alive()}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            told = (entry / "environ").read_bytes()
            is_zombie = (entry / "stat").read_text().rpartition(")")[2].split()[0] == "Z"
        except OSError:
            continue
        if mark in told and not is_zombie:
            found.add(int(entry.name))
    return found


def clean_environment(data_dir: Path) -> dict[str, str]:
    """This process's environment without settings, and with the mark."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("MONGOCLAW_", "DJANGO_"))
    }
    return kept | {"MONGOCLAW_ENV_FILE": os.devnull, MARK: str(data_dir)}
