"""Deleting what is only remembered for a time, a little at once."""

from __future__ import annotations

from typing import Any, Final

from django.db.models import QuerySet

from executions_app.database import write_turn

AT_ONCE: Final = 500
"""Rows of one transaction."""


def forget_oldest(old: QuerySet[Any]) -> int:
    """Delete the first AT_ONCE rows of what is old, in its order; returns how many."""
    ids = list(old.values_list("pk", flat=True)[:AT_ONCE])
    if not ids:
        return 0
    with write_turn():
        deleted: int = old.model.objects.filter(pk__in=ids).delete()[0]
    return deleted
