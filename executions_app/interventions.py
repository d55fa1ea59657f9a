"""Putting on record who asked for a run, asked again, or ended it."""

from __future__ import annotations

from datetime import datetime

from executions_app.models import Execution, Intervention, InterventionKind


def ask(
    execution_id: str, kind: InterventionKind, *, by: str, request_id: str | None, now: datetime, of: str = ""
) -> None:
    """Note who asks for a run, in the caller's transaction; they are told of an end that the official clients know."""
    Execution.objects.filter(id=execution_id).update(requested=True)
    note(execution_id, kind, by=by, request_id=request_id, now=now, of=of)


def note(
    execution_id: str, kind: InterventionKind, *, by: str, request_id: str | None, now: datetime, of: str = ""
) -> None:
    """Note it in the caller's transaction. Whoever repeats the same adds nothing: clients ask every second."""
    first = {"at": now, "request_id": request_id}
    Intervention.objects.get_or_create(execution_id=execution_id, kind=kind, by=by, of=of, defaults=first)
