"""The JSON form of an execution: the contract's record (peer contract §4.5, §17) and what it lacks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from executions_app.cost import usd
from executions_app.models import Attempt, Execution
from executions_app.queries import Trace
from executions_app.states import Status
from executions_app.timeline import Step

_AS_AWAITED: Final[Mapping[str, str]] = {
    Status.SKIPPED: Status.COMPLETED.value,
    Status.DISCARDED: Status.FAILED.value,
}


def execution_json(execution: Execution, *, last_call: Attempt | None = None) -> dict[str, Any]:
    """Return an execution as the contract has it, with `tokens_used` and `cost_usd` at the top level.

    `started_at` is always present: a run that has not started shows when it was put on record. `attempt`
    counts from 0. `ai_response` is null unless `last_call` is given.
    """
    return {
        "id": execution.pk,
        "work_item_id": execution.pk,
        "agent_id": execution.agent_id,
        "agent_version": execution.version.number,
        "document_id": execution.document_id,
        "database": execution.database,
        "collection": execution.collection,
        "operation": execution.operation,
        "status": execution.status,
        "lifecycle_state": execution.lifecycle_state,
        "reason": execution.reason or None,
        "written": execution.written,
        "created_at": execution.created_at,
        "started_at": execution.started_at or execution.created_at,
        "completed_at": execution.completed_at,
        "duration_ms": execution.duration_ms,
        "attempt": execution.attempts,
        "deferrals": execution.deferrals,
        "model_calls": execution.model_calls,
        "tokens_used": execution.tokens_used,
        "cost_usd": usd(execution.cost_nanousd),
        "error": execution.error or None,
        "error_type": execution.error_type or None,
        "ai_response": answer_json(last_call) if last_call is not None else None,
    }


def awaited_json(execution: Execution) -> dict[str, Any]:
    """Return one execution for somebody who may wait for its end, with the model's last answer (ADR 0027).

    The official clients wait for `completed` or `failed`, so a run that somebody asked for ends as one of these.
    """
    status = _AS_AWAITED.get(execution.status, execution.status)
    last_call = execution.attempt_set.last()
    told = execution_json(execution, last_call=last_call)
    return {**told, "status": status} if execution.requested else told


def answer_json(call: Attempt) -> dict[str, Any]:
    """Return a model call as the contract's `ai_response`."""
    return {
        "content": call.reply,
        "parsed_content": call.answer,
        "model": call.model,
        "provider": call.provider,
        "prompt_tokens": call.prompt_tokens,
        "completion_tokens": call.completion_tokens,
        "total_tokens": call.prompt_tokens + call.completion_tokens,
        "cost_usd": usd(call.cost_nanousd),
        "latency_ms": call.latency_ms,
        "finish_reason": call.finish_reason,
    }


def trace_json(trace: Trace) -> dict[str, Any]:
    """Return an execution with its story, its calls and its traceback."""
    last_call = trace.calls[-1] if trace.calls else None
    return {
        **execution_json(trace.execution, last_call=last_call),
        "traceback": trace.execution.traceback or None,
        "waits_behind": trace.waits_behind,
        "due_at": trace.execution.due_at,
        "claim": trace.execution.claim,
        "timeline": [_step(step) for step in trace.steps],
        "calls": [_call(call) for call in trace.calls],
    }


def _step(step: Step) -> dict[str, Any]:
    return {"at": step.at, "moment": step.moment.value, "title": step.title, "detail": step.detail}


def _call(call: Attempt) -> dict[str, Any]:
    return {
        "claim": call.claim,
        "number": call.number,
        "started_at": call.started_at,
        "system_prompt": call.system_prompt or None,
        "prompt": call.prompt,
        "outcome": call.outcome,
        "problem": call.problem or None,
        "fixes": call.fixes,
        **answer_json(call),
    }
