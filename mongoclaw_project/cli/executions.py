"""`mongoclaw executions`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime

import click

from executions_app import queries
from executions_app.cost import cost_text
from executions_app.limits import Refused
from executions_app.listing import REACH, Wanted, is_longer_than_reach
from executions_app.models import Attempt, Execution
from executions_app.queries import Trace
from executions_app.states import Status, reason_meaning
from executions_app.timeline import Step
from executions_app.wire import execution_json, trace_json
from mongoclaw_project.cli.agent_id import AGENT_ID
from mongoclaw_project.cli.held import held_json, holder_of, holding
from mongoclaw_project.cli.moment import lasting
from mongoclaw_project.cli.output import note, show
from mongoclaw_project.cli.sql import SqlGroup
from mongoclaw_project.cli.tables import Table

SHOWN_ID = 8
HEADERS = ("ID", "Agent", "Document", "Status", "Reason", "Due", "Created (UTC)", "Took", "Cost")
ELASTIC = (1, 2, 4)
"""The columns whose cells are cut where the table would be wider than a terminal."""


@click.group(cls=SqlGroup)
def executions() -> None:
    """List and show the runs of agents."""


@executions.command("list")
@click.option("--agent", "agent_id", type=AGENT_ID, metavar="ID", help="Only this agent's.")
@click.option("--status", type=click.Choice([status.value for status in Status]), help="Only these.")
@click.option("--reason", metavar="CODE", help="Only with this reason, such as `written` or `rate_limited`.")
@click.option(
    "--limit", type=click.IntRange(1, 10_000), default=20, show_default=True, help="How many at most."
)
def list_(agent_id: str | None, status: str | None, reason: str | None, limit: int) -> None:
    """List executions, newest first."""
    found = queries.newest(agent_id=agent_id, status=status, reason=reason, limit=limit)
    held, now = holding(found), datetime.now(UTC)
    rows = [_row(execution, holder_of(execution, held), now) for execution in found]
    text = Table(HEADERS, rows, elastic=ELASTIC) if rows else "No executions."
    listed = [
        {**execution_json(execution), "held_by": held_json(holder_of(execution, held))} for execution in found
    ]
    show({"executions": listed, "limit": limit}, text=text)
    if len(found) == limit:
        note(f"There may be more than these {limit}: --limit shows them.")
    elif Wanted(agent_id=agent_id, status=status, reason=reason).has_limits and is_longer_than_reach():
        note(f"Only the newest {REACH:,} executions were looked at.")


@executions.command("show")
@click.argument("execution_id", metavar="ID")
@click.option("--traceback", is_flag=True, help="Show where in the code an error came from.")
def show_(execution_id: str, *, traceback: bool) -> None:
    """Show the whole story of an execution. The first characters of its id are enough; times are UTC."""
    trace = queries.trace(queries.find(execution_id))
    held = holder_of(trace.execution, holding([trace.execution]))
    lines = [*story(trace, held)]
    if traceback and trace.execution.traceback:
        lines += ["", trace.execution.traceback.rstrip()]
    show({**trace_json(trace), "held_by": held_json(held)}, text="\n".join(lines))


def _row(execution: Execution, held: Refused | None, now: datetime) -> tuple[object, ...]:
    return (
        execution.pk[:SHOWN_ID],
        execution.agent_id,
        execution.document_id,
        execution.status,
        f"{execution.reason}: {held.reason}" if held else execution.reason or None,
        _due(execution, held, now),
        f"{execution.created_at:%m-%d %H:%M:%S}",
        None if execution.duration_ms is None else f"{execution.duration_ms:,.0f} ms",
        cost_text(execution.cost_nanousd) if execution.model_calls else None,
    )


def _due(execution: Execution, held: Refused | None, now: datetime) -> str | None:
    if execution.status != Status.PENDING:
        return None
    seconds = held.seconds if held else (execution.due_at - now).total_seconds()
    return f"in {lasting(seconds)}" if seconds > 0 else "now"


def story(trace: Trace, held: Refused | None = None) -> Iterator[str]:
    """Tell an execution's story, line by line; `held` is what keeps it from being admitted."""
    execution = trace.execution
    yield f"Execution  {execution.pk}"
    yield f"Agent      {execution.agent_id}, version {execution.version.number}"
    yield f"Document   {execution.document_id} in {execution.database}.{execution.collection}"
    yield f"Status     {execution.status}" + (f": {execution.reason}" if execution.reason else "")
    meaning = reason_meaning(execution.reason)
    if meaning:
        yield f"           {meaning}"
    if held:
        yield f"           {held.reason}: {reason_meaning(held.reason)} Due in {lasting(held.seconds)}."
    if trace.waits_behind:
        yield f"           It waits for {trace.waits_behind}."
    if execution.model_calls:
        cost = cost_text(execution.cost_nanousd)
        yield f"Model      {execution.model_calls} calls, {execution.tokens_used} tokens, cost {cost}"
    if execution.error:
        yield f"Error      {execution.error_type}: {execution.error}"
    yield ""
    for step in trace.steps:
        yield from _told(step)


def _told(step: Step) -> Iterator[str]:
    yield f"{step.at:%Y-%m-%d %H:%M:%S.%f}"[:-3] + f"  {step.moment.value:<8}  {step.title}"
    if step.detail:
        yield f"    {step.detail}"
    if step.call is not None:
        yield from (f"    {line}" for line in _called(step.call))


def _called(call: Attempt) -> Iterator[str]:
    tokens = f"{call.prompt_tokens} + {call.completion_tokens} tokens"
    yield f"{call.provider}, {call.latency_ms:,.0f} ms, {tokens}, {cost_text(call.cost_nanousd)}"
    yield from _labelled("prompt", call.prompt or "erased, see `mongoclaw retention show`")
    if call.answer is not None:
        yield from _labelled("answer", json.dumps(call.answer, ensure_ascii=False, indent=2))
    elif call.reply:
        yield from _labelled("reply", call.reply)


def _labelled(label: str, text: str) -> Iterator[str]:
    first, *rest = text.splitlines() or [""]
    yield f"{label}: {first}"
    yield from ((" " * (len(label) + 2) + line).rstrip() for line in rest)
