"""Lists of a ledger of any length, newest first: with an index to the end of it, without one only so far back.

A list is read in the order of an index until it is full. A filter that few rows pass would make that the whole ledger.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from django.db.models import Q, QuerySet, Value
from django.db.models.functions import Concat

from executions_app.models import Execution
from executions_app.states import Status

REACH: Final = 50_000
"""Rows that are looked at for a filter without an index, the newest of the agent's, of the failed ones, or of all."""

FEW: Final = 2_000
"""So many rows in one state, or fewer, are listed from the index of that state."""

# Each says what is true of all rows in its state, so that SQLite takes the index of these for the best one.
_LIVE: Final[Mapping[str, Q]] = {
    Status.PENDING: Q(status=Status.PENDING),
    Status.QUEUED: Q(status=Status.QUEUED, queued_at__isnull=False),
    Status.RUNNING: Q(status=Status.RUNNING, worker__gt=""),
}
_ORDER: Final[Mapping[str, tuple[str, ...]]] = {
    Status.PENDING: ("agent_id", "-priority", "due_at", "sequence"),
    Status.QUEUED: ("agent_id", "queued_at"),
    Status.RUNNING: ("agent_id", "worker"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a list is narrowed to; None is anything."""

    agent_id: str | None = None
    status: str | None = None
    reason: str | None = None
    operation: str | None = None

    @property
    def columns(self) -> dict[str, str]:
        """The columns and their values."""
        found = {name: getattr(self, name) for name in ("agent_id", "status", "reason", "operation")}
        return {name: value for name, value in found.items() if value}

    @property
    def has_limits(self) -> bool:
        """Whether such a list is looked for only so far back: nothing has the rows in order."""
        return self.columns.keys() not in ({}.keys(), {"agent_id"}) and not self._has_index

    @property
    def _has_index(self) -> bool:
        alone = self.columns.keys() == {"status"}
        return self.status in _LIVE or (alone and self.status == Status.FAILED)


def narrowed(rows: QuerySet[Execution], wanted: Wanted) -> QuerySet[Execution]:
    """Keep the rows that are wanted, without reading the whole ledger for it."""
    if wanted.status in _LIVE:
        return _live(rows, wanted)
    if not wanted.has_limits:
        return rows.filter(**wanted.columns)
    if wanted.status == Status.FAILED:
        return _failed(rows, wanted)
    base = {"agent_id": wanted.agent_id} if wanted.agent_id else {}
    return within_reach(rows, Execution.objects.filter(**base)).filter(**wanted.columns)


def is_longer_than_reach() -> bool:
    """Whether the ledger has rows that such a list does not look at."""
    beyond = Execution.objects.order_by("-created_at").values_list("created_at")[REACH : REACH + 1]
    return bool(list(beyond))


def _live(rows: QuerySet[Execution], wanted: Wanted) -> QuerySet[Execution]:
    """Name the rows of a state where they are few. Many are found soon, whichever way one goes."""
    status, columns = str(wanted.status), wanted.columns
    if status == Status.PENDING and wanted.agent_id is None:
        return rows.filter(**columns)  # an index has them in order
    found = Execution.objects.filter(_LIVE[status]).order_by(*_ORDER[status])
    if wanted.agent_id:
        found = found.filter(agent_id=wanted.agent_id)
    ids = list(found.values_list("id", flat=True)[: FEW + 1])
    agent_id = columns.pop("agent_id", None)
    if len(ids) <= FEW:
        # These are the agent's; said again, SQLite would go through all of its history.
        return rows.filter(id__in=ids, **columns)
    if status == Status.PENDING:
        return _of_agent(rows.filter(**columns), agent_id)
    return rows.filter(**wanted.columns)


def _failed(rows: QuerySet[Execution], wanted: Wanted) -> QuerySet[Execution]:
    """Go through the failed rows, however many others their agent has."""
    columns = wanted.columns
    agent_id = columns.pop("agent_id", None)
    found = within_reach(rows, Execution.objects.filter(status=Status.FAILED)).filter(**columns)
    return _of_agent(found, agent_id)


def _of_agent(rows: QuerySet[Execution], agent_id: str | None) -> QuerySet[Execution]:
    """Keep an agent's rows, compared so that SQLite takes no index of its whole history."""
    if agent_id is None:
        return rows
    return rows.alias(of_agent=Concat("agent_id", Value(""))).filter(of_agent=agent_id)


def within_reach(rows: QuerySet[Execution], base: QuerySet[Execution] | None = None) -> QuerySet[Execution]:
    """Keep the rows that are no older than the oldest of so many of `base`, or of all."""
    newest = (Execution.objects.all() if base is None else base).order_by("-created_at")
    oldest = list(newest.values_list("created_at", flat=True)[REACH : REACH + 1])
    return rows.filter(created_at__gt=oldest[0]) if oldest else rows
