"""Letting one run happen again because somebody asks for it, whatever its end was (ADR 0027)."""

from __future__ import annotations

import time
import uuid
from dataclasses import replace
from datetime import datetime
from typing import ClassVar

from django.db import transaction

from agents_app import registry
from agents_app.errors import Decision, MongoClawError
from agents_app.models import Agent
from executions_app import dead_letter_work, interventions, ledger
from executions_app.database import write_turn
from executions_app.dead_letter_work import LEFT_MEANINGS, Selection
from executions_app.identity import unpack_key, unpack_time
from executions_app.ledger import NewExecution
from executions_app.models import Execution, InterventionKind
from executions_app.states import Status


class RetryRefused(MongoClawError):
    """The run cannot happen again."""

    decision: ClassVar[Decision] = Decision.PERMANENT
    code: ClassVar[str] = "retry_refused"


def retry(execution: Execution, *, by: str, request_id: str | None = None, now: datetime) -> Execution:
    """Let a run happen again; returns the run to wait for.

    A failed run gets all its tries again. One that has written, or was skipped, stays as it is and gets a successor;
    where one of its document waits already, that is it. One that has not ended is returned as it is. All run by the
    agent's current version. Raises RetryRefused.
    """
    if execution.status == Status.FAILED:
        id_ = _renewed(execution, by, request_id, now)
    elif execution.status == Status.DISCARDED:
        raise RetryRefused("It was put aside: bring it back first")
    else:
        succeeded = _awaited if execution.completed_at is None else _succeeded
        id_ = succeeded(execution, by, request_id, now)
    return Execution.objects.select_related("agent", "version").get(id=id_)


def _renewed(execution: Execution, by: str, request_id: str | None, now: datetime) -> str:
    chosen = Selection(ids=(execution.pk,))
    report = dead_letter_work.requeue(chosen, by=by, request_id=request_id, now=now)
    for cause in report.left:
        raise RetryRefused(f"It was left as it is: {LEFT_MEANINGS[cause]}")
    Execution.objects.filter(id=execution.pk).update(requested=True)
    return execution.pk


def _awaited(execution: Execution, by: str, request_id: str | None, now: datetime) -> str:
    """Let a run that has not ended go on, for one more who waits for it."""
    with write_turn(), transaction.atomic():
        interventions.ask(execution.pk, InterventionKind.RUN_AGAIN, by=by, request_id=request_id, now=now)
    return execution.pk


def _succeeded(execution: Execution, by: str, request_id: str | None, now: datetime) -> str:
    agent = Agent.objects.get(pk=execution.agent_id)
    if agent.archived_at is not None or agent.current_version_id is None:
        raise RetryRefused("Its agent was deleted")
    event = replace(_again(execution, agent.current_version_id, now), request_id=request_id)
    found: list[str] = []

    def note(_new: int) -> None:
        found.append(ledger.run_of(event))
        interventions.ask(
            found[-1], InterventionKind.RUN_AGAIN, by=by, request_id=request_id, now=now, of=execution.pk
        )

    # No room: a web process sends nothing to the broker; dispatch does, a moment later.
    ledger.enter([event], room={}, now=now, along=note)
    return found[-1]


def _again(execution: Execution, version_id: int, now: datetime) -> NewExecution:
    """Give the run's own event once more: an agent that works on images of changes finds those of that change."""
    spec = registry.spec_of(version_id)
    return NewExecution(
        agent_id=execution.agent_id,
        version_id=version_id,
        token=f"{int(now.timestamp()):08x}:retry:{uuid.uuid4().hex}",
        database=execution.database,
        collection=execution.collection,
        key=unpack_key(execution.document_key),
        operation=execution.operation,
        cascade=False,
        event_time=unpack_time(execution.event_time),
        sequence=time.time_ns(),
        priority=spec.execution.priority,
        coalesce=spec.coalesces,
    )
