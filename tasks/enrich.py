"""The one Celery task. Its message carries an execution's id and nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import structlog
from celery import Task, shared_task
from django.db import DatabaseError, InterfaceError, OperationalError
from structlog.contextvars import bound_contextvars

from executions_app import transitions
from executions_app.cost import usd
from executions_app.identity import ID_LENGTH
from executions_app.message_format import FORMAT_HEADER, is_newer
from executions_app.metrics.names import agent_label
from executions_app.models import Execution
from executions_app.run import Claimed, Postponement, Settlement
from executions_app.states import Reason, Status
from executions_app.strays import Stray
from tasks.metrics import REPLAYED, count, processed
from tasks.persistence import persist
from tasks.process import runtime as process_runtime
from tasks.run import perform
from tasks.runtime import Runtime
from tasks.strays import keep

log = structlog.get_logger(__name__)


@shared_task(bind=True, name="tasks.enrich", ignore_result=True, acks_late=True)
def enrich(self: Task[..., None], /, *given: object, **named: object) -> None:
    """Run one execution if it still wants to be run; a duplicate or late message does nothing.

    Takes whatever a message brings: what names no execution is put on record.
    A message of a newer format is left: its row stays queued, dispatch sends it again, and a worker of the newer
    release runs it.
    """
    headers = vars(self.request)
    if is_newer(headers):
        log.warning("message.newer", format=headers[FORMAT_HEADER], task_id=self.request.id)
        return
    match given:
        case [str(execution_id)] if not named and len(execution_id) == ID_LENGTH:
            end = run_execution(process_runtime(), execution_id)
            if end is None:
                _expect_on_record(execution_id)
            else:
                processed(_queue(self.request.delivery_info), end)
        case _:
            keep(_stray(given, named))


def _queue(delivery: Mapping[str, Any] | None) -> str:
    return str((delivery or {}).get("routing_key") or "")


def run_execution(runtime: Runtime, execution_id: str) -> Settlement | Postponement | None:
    """Claim, perform and record one execution. Returns None when the row was not to be had.

    Raises Django's database errors if the ledger cannot be reached for the claim: the row stays queued, or is put
    back as soon as the ledger answers, and is published again.
    """
    run = _claim(runtime, execution_id)
    if run is None:
        return None
    with bound_contextvars(**_context(run)):
        return _run(runtime, run)


def _claim(runtime: Runtime, execution_id: str) -> Claimed | None:
    worker, now = runtime.worker_id, runtime.now()
    try:
        return transitions.claim(execution_id, worker=worker, now=now)
    except (OperationalError, InterfaceError):
        # The ledger may have taken the claim and only the answer be lost: then the row would be nobody's.
        persist(
            lambda: transitions.disown(execution_id, worker=worker, claimed_at=now, now=runtime.now()),
            stopping=runtime.stopping,
        )
        raise


def _run(runtime: Runtime, run: Claimed) -> Settlement | Postponement:
    end = perform(runtime, run)
    try:
        kept = persist(lambda: _record(runtime, run, end), stopping=runtime.stopping)
    except (OperationalError, InterfaceError):
        raise  # the process is stopping: the row is reclaimed like that of any dead worker
    except DatabaseError as error:
        # A row left running by a living worker is nobody's, and its document is blocked.
        end = _unrecordable(error)
        kept = persist(lambda: _record(runtime, run, end), stopping=runtime.stopping)
    now = runtime.now()
    _report(run, end, kept=kept, now=now)
    if kept:
        count(run, end, seconds=(now - run.started_at).total_seconds())
    return end


def _context(run: Claimed) -> dict[str, str]:
    """Say on every line of a run whose it is, and which request asked for it if one did."""
    named = {"execution_id": run.id, "agent_id": run.agent_id}
    return named | ({"request_id": run.request_id} if run.request_id else {})


def _expect_on_record(execution_id: str) -> None:
    agent_id = Execution.objects.filter(id=execution_id).values_list("agent_id", flat=True).first()
    if agent_id is None:
        keep(_stray((execution_id,), {}))
    else:
        REPLAYED.labels(agent_label(agent_id)).inc()


def _stray(given: Sequence[object], named: Mapping[str, object]) -> Stray:
    asked = json.dumps([*given, *([named] if named else [])], ensure_ascii=False, default=repr)
    return Stray(reason=Reason.UNKNOWN_EXECUTION, body=asked.encode("utf-8", "replace"), task=enrich.name)


def _unrecordable(error: DatabaseError) -> Settlement:
    return Settlement(
        status=Status.FAILED,
        reason="pipeline_error",
        error_type="pipeline_error",
        error=f"The database refuses to record how the run ended: {type(error).__name__}",
    )


def _record(runtime: Runtime, run: Claimed, end: Settlement | Postponement) -> bool:
    if isinstance(end, Settlement):
        return transitions.settle(run, end, now=runtime.now())
    return transitions.postpone(run, end, now=runtime.now())


def _report(run: Claimed, end: Settlement | Postponement, *, kept: bool, now: datetime) -> None:
    """Write the execution's one canonical log line; `_context` is on it as on every other.

    Of an error only the code: what a server says of it may quote the document, and is in the ledger.
    """
    status = end.status if isinstance(end, Settlement) else "pending"
    emit = log.error if status == "failed" else log.info
    emit(
        "execution.ended" if kept else "execution.fenced",
        status=str(status),
        reason=str(end.reason),
        database=run.database,
        collection=run.collection,
        operation=run.operation,
        claim=run.claim,
        attempts=run.attempts,
        deferrals=run.deferrals,
        waited_ms=_milliseconds(run.due_at, run.started_at),
        duration_ms=_milliseconds(run.started_at, now),
        age_ms=_milliseconds(run.created_at, now),
        model_calls=end.model_calls,
        **_spent(end),
    )


def _spent(end: Settlement | Postponement) -> dict[str, object]:
    if isinstance(end, Settlement):
        return {"tokens": end.tokens_used, "cost_usd": usd(end.cost_nanousd)}
    return {"due_at": end.due_at.isoformat()}


def _milliseconds(since: datetime, until: datetime) -> float:
    return round(max(0.0, (until - since).total_seconds() * 1000), 1)
