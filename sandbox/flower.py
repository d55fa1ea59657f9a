"""Flower beside a local system: it shows queues and workers, on loopback, to whoever knows the password."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from sandbox.admin_login import AdminLogin
from sandbox.children import Command
from sandbox.embedded.ports import LOOPBACK
from sandbox.supervisor import ChildSpec
from sandbox.waiting import answers

FLOWER: Final = "flower"
TASKS_KEPT: Final = 10_000
"""Flower keeps what it has seen in memory, and is slow with more than this."""


def is_installed() -> bool:
    """Whether the extra `flower` is there."""
    return find_spec("flower") is not None


def flower(environ: Mapping[str, str], directory: Path, login: AdminLogin, port: int) -> ChildSpec:
    """Describe the process. It may look and nothing else, unless the environment says FLOWER_READ_ONLY=false."""
    words = ("celery", "--quiet", "-A", "mongoclaw_project", "flower")
    settings = {
        "FLOWER_READ_ONLY": "true",
        "FLOWER_MAX_TASKS": str(TASKS_KEPT),
        "FLOWER_LOGGING": "none",  # the project's handler writes; a second one of Flower's own would say it again
        **environ,
        "FLOWER_ADDRESS": LOOPBACK,
        "FLOWER_PORT": str(port),
        # In the environment and not on the command line, which every user of the machine can read.
        "FLOWER_BASIC_AUTH": f"{login.username}:{login.password}",
    }
    settings.pop("PROMETHEUS_MULTIPROC_DIR", None)  # it would write its figures among the workers'
    command = Command((sys.executable, "-m", *words), env=settings, directory=directory)
    return ChildSpec(FLOWER, command, is_ready=lambda: answers(f"http://{LOOPBACK}:{port}/"))
