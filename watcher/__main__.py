"""`python -m watcher`: the edge that reads the settings and runs the watcher until it is told to stop."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from typing import Final

import django

SWITCH_SECONDS: Final = 0.0005
"""How long a thread may compute while another one waits for the interpreter: each statement of a change's transaction
ends in such a wait, and a backfill computes all the time."""


def main(arguments: list[str] | None = None) -> int:
    """Run the roles that were asked for; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m watcher", description="Watch change streams, keep work moving."
    )
    parser.add_argument("--role", choices=["all", "stream", "dispatch", "backfill"], default="all")
    role = parser.parse_args(arguments).role
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mongoclaw_project.settings")
    from agents_app.errors import MongoClawError
    from mongoclaw_project.starting import settings_or_exit

    settings_or_exit()
    try:
        django.setup()
        return _run(role)
    except MongoClawError as error:
        sys.stderr.write(f"watcher: {error}\n")
        return 1


def _run(role: str) -> int:
    from mongoclaw_project.celery import app
    from mongoclaw_project.config import current
    from watcher.assembly import ROLES, Watcher
    from watcher.connection import connect_patiently

    sys.setswitchinterval(SWITCH_SECONDS)
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    roles = ROLES if role == "all" else (role,)
    settings = current()
    mongodb = settings.mongodb
    client = connect_patiently(mongodb.uri, mongodb.server_selection_timeout_ms, stopping)
    return 0 if client is None else Watcher(settings, app, client, roles, stopping).run()


if __name__ == "__main__":
    sys.exit(main())
