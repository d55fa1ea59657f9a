"""The states of an execution, the moves between them, and the reasons a row can carry."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Status(StrEnum):
    """Where an execution stands. Stored in `Execution.status`."""

    PENDING = "pending"
    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    SKIPPED = "skipped"
    FAILED = "failed"
    DISCARDED = "discarded"


class Slot(StrEnum):
    """What at most one row of a subject can have. A row that waits without coalescing has its own id instead."""

    WAITING = "waiting"
    RUNNING = "running"


UNSTARTED: Final = (Status.PENDING, Status.QUEUED)
ENDS: Final = (Status.COMPLETED, Status.SKIPPED, Status.FAILED)
"""How a run can end."""

TERMINAL: Final = (*ENDS, Status.DISCARDED)

DEAD: Final = (Status.FAILED, Status.DISCARDED)
"""Dead letters, put aside or not."""

TRANSITIONS: Final[dict[Status, frozenset[Status]]] = {
    Status.PENDING: frozenset({Status.QUEUED, Status.SKIPPED, Status.FAILED}),
    Status.QUEUED: frozenset({Status.RUNNING, Status.PENDING, Status.SKIPPED}),
    Status.RUNNING: frozenset({Status.PENDING, *ENDS}),
    Status.COMPLETED: frozenset(),
    Status.SKIPPED: frozenset(),
    Status.FAILED: frozenset({Status.PENDING, Status.DISCARDED}),
    Status.DISCARDED: frozenset({Status.FAILED}),
}
"""Every move a row may make. A dead letter is `failed`; it leaves only when somebody requeues or discards it."""


VALID: Final = "valid"
"""The outcome of a call whose answer may be written. All others are codes of errors."""


class Reason(StrEnum):
    """Why a row is where it is. Stored in `Execution.reason`; error codes of the error tree may stand there too."""

    WRITTEN = "written"
    ADMISSION = "admission"
    DOCUMENT_BUSY = "document_busy"
    RECLAIMED = "reclaimed"
    OVERDUE = "overdue"
    REQUEUED = "requeued"
    BROKER_UNAVAILABLE = "broker_unavailable"
    AGENT_DISABLED = "agent_disabled"
    HELD = "held"
    AGENT_NOT_FOUND = "agent_not_found"
    DOCUMENT_NOT_FOUND = "document_not_found"
    FILTER_NOT_MATCHED = "filter_not_matched"
    MAX_HOPS = "max_hops"
    UNCHANGED_INPUT = "unchanged_input"
    SUPERSEDED = "superseded"
    SHADOW_MODE = "shadow_mode"
    ALREADY_WRITTEN = "already_written"
    PROVIDER_OUTAGE = "provider_outage"
    BACKFILL_CANCELLED = "backfill_cancelled"
    CANCELLED = "cancelled"
    CONCURRENCY_LIMIT = "concurrency_limit"
    AGENT_RATE_LIMIT = "agent_rate_limit"
    TOKEN_LIMIT = "token_limit"  # noqa: S105 - a reason code
    COST_LIMIT = "cost_limit"
    PROVIDER_COOLDOWN = "provider_cooldown"
    PROVIDER_QUOTA = "provider_quota"
    CIRCUIT_OPEN = "circuit_open"
    QUARANTINED = "quarantined"
    LIMITER_UNAVAILABLE = "limiter_unavailable"
    BACKPRESSURE = "backpressure"
    HANDED_BACK = "handed_back"
    POISON_RUN = "poison_run"
    MESSAGE_UNDECODABLE = "message_undecodable"
    MESSAGE_WITHOUT_TASK = "message_without_task"
    MESSAGE_INVALID = "message_invalid"
    UNKNOWN_TASK = "unknown_task"
    UNKNOWN_EXECUTION = "unknown_execution"


REASON_MEANINGS: Final[dict[Reason, str]] = {
    Reason.WRITTEN: "The answer stands in the document.",
    Reason.ADMISSION: "Waits for room in its agent's window of messages in the broker.",
    Reason.DOCUMENT_BUSY: "Another run of the same agent works on this document; made due when that one ends.",
    Reason.RECLAIMED: "The worker that had it stopped giving signs of life, or never learnt that it had it.",
    Reason.OVERDUE: "Its message was published and never taken up; it is published again.",
    Reason.REQUEUED: "It had failed, and somebody asked to run it again.",
    Reason.BROKER_UNAVAILABLE: "The broker refused the message; it is published again.",
    Reason.AGENT_DISABLED: "Its agent is disabled; it waits until the agent is enabled.",
    Reason.HELD: "Somebody has paused its agent, or all of them; `mongoclaw dispatch status` says who and why.",
    Reason.AGENT_NOT_FOUND: "Its agent was deleted before the run started.",
    Reason.DOCUMENT_NOT_FOUND: "The document was gone when the run started or wrote.",
    Reason.FILTER_NOT_MATCHED: "The document no longer matches `watch.filter`.",
    Reason.MAX_HOPS: "Agents trigger each other on this document; `execution.max_hops` ended the chain.",
    Reason.UNCHANGED_INPUT: "The rendered prompt is the one that the stored answer was given for: no call needed.",
    Reason.SUPERSEDED: "A newer run of the same agent takes care of this document.",
    Reason.SHADOW_MODE: "`consistency_mode: shadow`: everything was done but the write.",
    Reason.ALREADY_WRITTEN: "An earlier try of this run had written its answer already.",
    Reason.PROVIDER_OUTAGE: "The model provider fails for every run at present; no attempt is burnt until it recovers.",
    Reason.BACKFILL_CANCELLED: "The backfill that had asked for it was cancelled before it started.",
    Reason.CANCELLED: "Somebody cancelled it before it started.",
    Reason.CONCURRENCY_LIMIT: "As many of its agent's calls as `execution.max_concurrency` allows are going on.",
    Reason.AGENT_RATE_LIMIT: "Its agent has made as many calls a minute as `execution.rate_limit_requests` allows.",
    Reason.TOKEN_LIMIT: "Its agent has used as many tokens in the last hour as `execution.token_limit` allows.",
    Reason.COST_LIMIT: "Its agent has spent as much in the last hour as `execution.cost_limit_usd` allows.",
    Reason.PROVIDER_COOLDOWN: "The provider asked to slow down; no call of this model is made until it may be.",
    Reason.PROVIDER_QUOTA: "The provider says that the account has no credit left; it is asked again now and then.",
    Reason.CIRCUIT_OPEN: "The provider failed again and again; one call at a time tries whether it is back.",
    Reason.QUARANTINED: "Too many runs of its agent failed in a short time; the others wait until it is tried again.",
    Reason.BACKPRESSURE: "Too many runs of its agent waited; DISPATCH_OVERFLOW_POLICY says what follows then.",
    Reason.HANDED_BACK: "Its worker was asked to stop before it had begun to ask the model; another one runs it.",
    Reason.LIMITER_UNAVAILABLE: "Redis, which keeps its agent's limits, does not answer; agents with limits wait.",
    Reason.POISON_RUN: "Worker after worker died while it ran this one, so none is given it any more.",
    Reason.MESSAGE_UNDECODABLE: "A message in the broker that cannot be read; it is a dead letter without a run.",
    Reason.MESSAGE_WITHOUT_TASK: "A message in the broker that names no task; it is a dead letter without a run.",
    Reason.MESSAGE_INVALID: "A message in the broker that lacks parts; it is a dead letter without a run.",
    Reason.UNKNOWN_TASK: "A message for a task that the workers do not have; it is a dead letter without a run.",
    Reason.UNKNOWN_EXECUTION: "A message for a run that is not on record; it is a dead letter without a run.",
}


def known_reason(text: str) -> str:
    """Return the reason of this text; one of a newer release, which this one does not know, as it stands."""
    return Reason(text) if text in Reason._value2member_map_ else text


def reason_meaning(reason: str) -> str:
    """Explain a reason in a sentence; empty for the codes of errors and for what only a newer release knows."""
    known = known_reason(reason)
    return REASON_MEANINGS[known] if isinstance(known, Reason) else ""
