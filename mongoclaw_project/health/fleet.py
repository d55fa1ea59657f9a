"""Whether watchers and workers show signs of life."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any, Final

from django.db import DatabaseError, connection
from django.utils import timezone

from mongoclaw_project.config import current
from mongoclaw_project.health.component import Probe, Unhealthy

_SLACK: Final = 3
"""Hosts' clocks differ; this only informs, so it is more patient than the reclaiming of runs."""

ROLES: Final = {"watcher": "dispatch", "workers": "worker"}


def fleet_probes() -> tuple[Probe, ...]:
    """A probe for each kind of process."""
    return tuple(Probe(name, partial(ask_processes, role)) for name, role in ROLES.items())


def ask_processes(role: str) -> dict[str, Any]:
    """Count the processes of a role that beat lately. Raises Unhealthy if there is none."""
    from executions_app.models import WorkerProcess

    patience = timedelta(seconds=_SLACK * current().worker.heartbeat_timeout_seconds)
    try:
        alive = WorkerProcess.objects.filter(role=role, beat_at__gte=timezone.now() - patience).count()
    except DatabaseError as error:
        raise Unhealthy("unknown: the SQL database cannot be reached") from error
    finally:
        connection.close()
    if alive == 0:
        raise Unhealthy("no process shows signs of life")
    return {"alive": alive}
