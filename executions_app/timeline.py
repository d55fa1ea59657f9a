"""The story of one execution: from the event to the end, moment by moment."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from executions_app.models import Attempt, Execution, Hold, Intervention, Requeue
from executions_app.states import TERMINAL, Status, reason_meaning


class Moment(StrEnum):
    """What kind of thing happened."""

    EVENT = "event"
    RECORDED = "recorded"
    QUEUED = "queued"
    CLAIMED = "claimed"
    CALL = "call"
    WAITING = "waiting"
    ENDED = "ended"
    REQUEUED = "requeued"
    ASKED = "asked"


@dataclass(frozen=True, slots=True)
class Step:
    """One moment. `call` is the model call that the moment is, if it is one."""

    at: datetime
    moment: Moment
    title: str
    detail: str = ""
    call: Attempt | None = None


def timeline(
    execution: Execution,
    calls: Sequence[Attempt],
    requeues: Sequence[Requeue] = (),
    *,
    interventions: Sequence[Intervention] = (),
    hold: Hold | None = None,
) -> tuple[Step, ...]:
    """Tell an execution's story in order of time.

    The row keeps the last queueing and the last claim only; earlier tries show by their calls, and the lives before
    somebody let it run again by their ends. `hold` is what keeps its agent from starting anything now.
    """
    lives = (step for requeue in requeues for step in _life_before(requeue))
    asked = (_asked(one) for one in interventions)
    steps = [_event(execution), *_milestones(execution), *asked, *(_call(call) for call in calls), *lives]
    first, *rest = steps
    past = (first, *sorted(rest, key=lambda step: step.at))
    return (*past, *_now(execution), *_held(execution, hold, since=past[-1].at))


def _event(execution: Execution) -> Step:
    by = "by an agent" if execution.cascade else "by a user"
    title = f"{execution.operation} in {execution.database}.{execution.collection}, {by}"
    at = datetime.fromtimestamp(execution.cluster_time.time, tz=UTC)
    return Step(at, Moment.EVENT, title, f"document {execution.document_id}; cluster time, in whole seconds")


def _milestones(execution: Execution) -> Iterator[Step]:
    yield Step(execution.created_at, Moment.RECORDED, "put on record")
    if execution.queued_at is not None:
        lost = execution.publications
        detail = f"messages lost or withdrawn before: {lost}" if lost else ""
        yield Step(execution.queued_at, Moment.QUEUED, "sent to the broker", detail)
    if execution.started_at is not None:
        title = f"claim {execution.claim} by a worker"
        yield Step(execution.started_at, Moment.CLAIMED, title, f"worker {execution.worker}")


def _call(call: Attempt) -> Step:
    kind = "prompt" if call.number == 1 else f"repair {call.number - 1}"
    title = f"{kind} of claim {call.claim} to {call.model}: {call.outcome}"
    return Step(call.started_at, Moment.CALL, title, call.problem, call)


def _life_before(requeue: Requeue) -> Iterator[Step]:
    tries = f"{requeue.attempts} failed tries were counted"
    why = f"{requeue.error_type}: {requeue.error}" if requeue.error else reason_meaning(requeue.reason)
    yield Step(
        requeue.died_at, Moment.ENDED, f"failed: {requeue.reason}", f"{why} ({tries})" if why else tries
    )
    yield Step(requeue.at, Moment.REQUEUED, f"let run again by {requeue.by}", "with all its tries")


def _asked(intervention: Intervention) -> Step:
    again = f"as run {intervention.of} had ended" if intervention.of else ""
    return Step(intervention.at, Moment.ASKED, str(intervention), again)


def _now(execution: Execution) -> Iterator[Step]:
    why = _why(execution)
    if execution.status in TERMINAL and execution.completed_at is not None:
        yield Step(execution.completed_at, Moment.ENDED, f"{execution.status}: {execution.reason}", why)
    elif execution.status == Status.PENDING:
        yield Step(execution.due_at, Moment.WAITING, f"due; waits because of {execution.reason}", why)


def _held(execution: Execution, hold: Hold | None, *, since: datetime) -> Iterator[Step]:
    if execution.status == Status.PENDING and hold is not None:
        title = f"held by {hold.by}, until somebody resumes {_whom(hold)}"
        yield Step(max(hold.at, since), Moment.WAITING, title, hold.why)


def _whom(hold: Hold) -> str:
    return f"agent '{hold.scope}'" if hold.scope else "all agents"


def _why(execution: Execution) -> str:
    return reason_meaning(execution.reason) or execution.error
