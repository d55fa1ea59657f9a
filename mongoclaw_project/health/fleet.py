"""Whether watchers and workers give signs of life."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from django.db import DatabaseError, connection

from executions_app.vital_signs import VitalSigns, signs
from mongoclaw_project.config import current
from mongoclaw_project.health.component import Probe, Unhealthy

ROLES: Final = {"watcher": "dispatch", "workers": "worker"}


def fleet_probes() -> tuple[Probe, ...]:
    """A probe for each kind of process; each remembers what it has seen."""
    patience = current().worker.heartbeat_timeout_seconds
    return tuple(
        Probe(name, partial(ask_processes, role, VitalSigns(patience))) for name, role in ROLES.items()
    )


def ask_processes(role: str, vital_signs: VitalSigns) -> dict[str, Any]:
    """Count the processes of a role that live. Raises Unhealthy if there is none."""
    try:
        found = signs(role)
    except DatabaseError as error:
        raise Unhealthy("unknown: the SQL database cannot be reached") from error
    finally:
        connection.close()
    alive = len(vital_signs.living(found, now=datetime.now(UTC)))
    if not alive:
        raise Unhealthy("no process shows signs of life")
    return {"alive": alive, "silent": len(found) - alive}
