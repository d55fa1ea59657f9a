"""The newest runs, of all agents or of one, in any state or in one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db.models import QuerySet

from executions_app import queries
from executions_app.console.panel import Asked, Panel
from executions_app.console.viewer import SEE_RUNS
from executions_app.listing import Wanted, narrowed
from executions_app.models import Execution
from executions_app.states import Status, reason_meaning

SHOWN: Final = 15
NEWEST: Final = ("-created_at", "-sequence")
LOOKED_AT: Final = 2_000
"""Newest runs among which those in one state are looked for first."""

CHOICES: Final = (
    ("", "All"),
    (Status.RUNNING.value, "Running"),
    (Status.PENDING.value, "Pending"),
    (Status.COMPLETED.value, "Completed"),
    (Status.SKIPPED.value, "Skipped"),
    (Status.FAILED.value, "Failed"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLine:
    """A run in the list. `took_ms` is the duration of its last try; the cost is None where no call was made."""

    id: str
    agent_id: str
    version: int
    status: str
    reason: str
    meaning: str
    document_id: str
    where: str
    operation: str
    created_at: datetime
    took_ms: float | None
    calls: int
    cost_nanousd: int | None


@dataclass(frozen=True, slots=True)
class Runs:
    """The newest runs with the chosen status, empty for any."""

    status: str
    lines: tuple[RunLine, ...]


def look(asked: Asked) -> Runs:
    """Read the newest runs in sight."""
    status = asked.choices.get("status", "")
    status = status if status in dict(CHOICES) else ""
    rows = queries.listed(Execution.objects.filter(**asked.viewer.narrowed("agent_id")))
    if status == Status.PENDING and asked.viewer.agents is None:
        rows = _without_a_sort(rows, status)
    found = narrowed(rows, Wanted(status=status or None)).order_by(*NEWEST)[:SHOWN]
    return Runs(status, tuple(line_of(run) for run in found))


def _without_a_sort(rows: QuerySet[Execution], status: str) -> QuerySet[Execution]:
    """Name the newest rows in a state where they are among the newest of all, as those of a backlog are.

    The index of what waits has another order: a long backlog would be read and sorted for one screen of it.
    """
    newest = Execution.objects.order_by(*NEWEST).values_list("id", "status")[:LOOKED_AT]
    ids = [id_ for id_, of_it in newest if of_it == status][:SHOWN]
    return rows.filter(id__in=ids) if len(ids) == SHOWN else rows


def line_of(run: Execution) -> RunLine:
    """Describe a run."""
    return RunLine(
        id=run.pk,
        agent_id=run.agent_id,
        version=run.version.number,
        status=run.status,
        reason=run.reason,
        meaning=reason_meaning(run.reason),
        document_id=run.document_id,
        where=f"{run.database}.{run.collection}",
        operation=run.operation,
        created_at=run.created_at,
        took_ms=run.duration_ms,
        calls=run.model_calls,
        cost_nanousd=run.cost_nanousd if run.model_calls else None,
    )


PANEL: Final = Panel(name="runs", title="Recent runs", needs=SEE_RUNS, look=look, seconds=3, wide=True)
