"""Putting on record who asked for a run, asked again, or ended it."""

from __future__ import annotations

from datetime import datetime

from executions_app.models import Intervention, InterventionKind


def note(
    execution_id: str, kind: InterventionKind, *, by: str, request_id: str | None, now: datetime, of: str = ""
) -> None:
    """Note it in the caller's transaction. Whoever repeats the same adds nothing: clients ask every second."""
    first = {"at": now, "request_id": request_id}
    Intervention.objects.get_or_create(execution_id=execution_id, kind=kind, by=by, of=of, defaults=first)
