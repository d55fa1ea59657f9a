"""Run a real watcher or worker that kills itself with SIGKILL just before or after one of its own steps.

`python -m tests.acceptance.kill_at before|after MODULE:NAME watcher|backfill|worker`. With KILL_ONLY in the
environment, only where the step's arguments hold that text.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

import django


def die(*_: object, **__: object) -> None:
    """End this process as a power cut would."""
    os.kill(os.getpid(), signal.SIGKILL)


def arm(moment: str, step: str) -> None:
    """Put the kill in front of the step or behind it."""
    module_name, _, path = step.partition(":")
    *owners, name = path.split(".")
    place: Any = importlib.import_module(module_name)
    for owner in owners:
        place = getattr(place, owner)
    original: Callable[..., Any] = getattr(place, name)

    def killing(*args: Any, **kwargs: Any) -> Any:
        wanted = os.environ.get("KILL_ONLY", "") in repr(args)
        if moment == "before" and wanted:
            die()
        result = original(*args, **kwargs)
        if wanted:
            die()
        return result

    setattr(place, name, killing)


def main() -> None:
    """Arm the kill and become the process."""
    moment, step, role = sys.argv[1:]
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mongoclaw_project.settings")
    django.setup()
    arm(moment, step)
    if role != "worker":
        from watcher.__main__ import main as watch

        sys.exit(watch(["--role", "all" if role == "watcher" else role]))
    from mongoclaw_project.celery import app

    flags = [
        "--pool",
        "threads",
        "--concurrency",
        "8",
        "-Q",
        "mongoclaw",
        "--without-gossip",
        "--without-mingle",
    ]
    app.worker_main(["worker", "--loglevel", "INFO", *flags])


if __name__ == "__main__":
    main()
