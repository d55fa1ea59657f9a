"""One run opened: what the model was given, what was written, why, and how long each step took."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from agents_app import registry
from agents_app.errors import VersionUnreadable
from agents_app.spec.outputs import results
from executions_app import queries
from executions_app.console.runs import RunLine, line_of
from executions_app.console.viewer import DISCARD, REQUEUE, Viewer
from executions_app.models import Attempt, Execution
from executions_app.queries import ExecutionNotFound
from executions_app.states import Status
from executions_app.timeline import Step


@dataclass(frozen=True, slots=True)
class Durations:
    """How long a run waited to be claimed, how long the model took, and all of it, in milliseconds."""

    waited: float | None
    model: float | None
    whole: float | None


@dataclass(frozen=True, slots=True)
class Written:
    """Where the answer stands in the document, and what the document says of it."""

    fields: tuple[str, ...]
    provenance: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A run with its story. `prompt` and `answer` are those of the call that counts; empty once they are erased."""

    line: RunLine
    error: str
    error_type: str
    durations: Durations
    call: Attempt | None
    answer: str
    written: Written | None
    steps: tuple[Step, ...]
    waits_behind: str | None
    may_requeue: bool
    may_discard: bool


def look(viewer: Viewer, execution_id: str) -> Opened:
    """Open a run by its whole id. Raises ExecutionNotFound, also for one of an agent that is not in sight."""
    run = queries.find(execution_id)
    if not viewer.sees(run.agent_id):
        raise ExecutionNotFound(f"Execution '{execution_id}' not found")
    trace = queries.trace(run)
    call = _decisive(trace.calls)
    is_dead = run.status == Status.FAILED
    return Opened(
        line=line_of(run),
        error=run.error,
        error_type=run.error_type,
        durations=_durations(run, trace.calls),
        call=call,
        answer=as_json(call.answer) if call is not None and call.answer is not None else "",
        written=_written(run, call) if run.written else None,
        steps=trace.steps,
        waits_behind=trace.waits_behind,
        may_requeue=is_dead and viewer.may(REQUEUE),
        may_discard=is_dead and viewer.may(DISCARD),
    )


def _decisive(calls: Sequence[Attempt]) -> Attempt | None:
    """Choose the last call with an answer, or else the last one."""
    answered = [call for call in calls if call.answer is not None]
    return next(iter([*answered[::-1], *calls[::-1]]), None)


def as_json(value: Any) -> str:
    """Write a value for people."""
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)


def _durations(run: Execution, calls: tuple[Attempt, ...]) -> Durations:
    return Durations(
        waited=_between(run.due_at, run.started_at),
        model=sum(call.latency_ms for call in calls) if calls else None,
        whole=_between(run.created_at, run.completed_at),
    )


def _between(begin: datetime, end: datetime | None) -> float | None:
    return None if end is None or end < begin else (end - begin).total_seconds() * 1000


def _written(run: Execution, call: Attempt | None) -> Written:
    try:
        spec = registry.spec_of(run.version_id)
    except VersionUnreadable:
        return Written((), "")
    places = tuple(output.path for output in results(spec.write, spec.ai.response_schema, spec.policy))
    if not spec.write.include_metadata:
        return Written(places, "")
    said = {
        "source_agent_id": run.agent_id,
        "execution_id": run.pk,
        "agent_version": run.version.number,
        "model": call.model if call else None,
        "provider": call.provider if call else None,
        "tokens": run.tokens_used,
    }
    return Written(places, as_json({spec.write.metadata_field: said}))
