"""From a request to a row of the ledger, which runs like any that a stream has brought."""

from __future__ import annotations

import time
import uuid
from datetime import datetime
from typing import Any, Final

import structlog
from pymongo import MongoClient

from agents_app import publish, registry
from agents_app.registry import ActiveAgent
from executions_app import interventions, ledger, queries
from executions_app.ledger import NewExecution
from executions_app.models import Execution, InterventionKind
from executions_app.triggers import documents, repetition
from executions_app.triggers.documents import Placed
from executions_app.triggers.errors import TriggerRefused
from executions_app.triggers.repetition import Answered, Request
from executions_app.triggers.wanted import Wanted

log = structlog.get_logger(__name__)

OPERATION: Final = "trigger"


def trigger(
    client: MongoClient[dict[str, Any]],
    agent_id: str,
    wanted: Wanted,
    *,
    key: str | None,
    by: str,
    request_id: str | None = None,
    now: datetime,
) -> Execution:
    """Let an agent work on a document that is there, or is inserted for it; returns the run.

    That is a new row, or the row of the document that waits already: it will see the same state. With a `key` the
    same request always has the same run. Raises AgentNotFound, TriggerRefused, DocumentNotFound, DocumentAmbiguous,
    KeyReused, and pymongo's and Django's errors: then whoever asks again with the same key repeats nothing.
    """
    if key is None:
        request = Request(uuid.uuid4().hex, now)
    else:
        request = repetition.reserve(agent_id, key, wanted.digest, now=now)
    if not request.execution_id:
        agent = _at_work(agent_id)
        placed = documents.place(client, agent.spec.watch_namespace, wanted, new_id=request.new_id)
        answered = _enter(_row(agent, placed, request, request_id), request, by, now)
        log.info("agent.triggered", agent_id=agent_id, execution_id=answered, by=by)
        return queries.find(answered)
    return queries.find(request.execution_id)


def _at_work(agent_id: str) -> ActiveAgent:
    """Return an agent that can run. Raises AgentNotFound, TriggerRefused."""
    agent = publish.get(agent_id)
    if agent.current_version_id is None:
        raise TriggerRefused(f"Agent '{agent_id}' has no published version: publish it first")
    if not agent.enabled or agent.enabled_at is None:
        raise TriggerRefused(
            f"Agent '{agent_id}' is disabled: enable it first (`mongoclaw agents enable {agent_id}`)"
        )
    spec = registry.spec_of(agent.current_version_id)
    if spec.watch.deletes_only:
        raise TriggerRefused(f"Agent '{agent_id}' watches deletes only: no document is there to be worked on")
    since = agent.current_since or agent.enabled_at
    return ActiveAgent(agent_id, agent.current_version_id, spec, agent.enabled_at, since)


def _row(agent: ActiveAgent, placed: Placed, request: Request, request_id: str | None) -> NewExecution:
    database, collection = agent.spec.watch_namespace
    return NewExecution(
        agent_id=agent.agent_id,
        version_id=agent.version_id,
        token=request.token,
        database=database,
        collection=collection,
        key=placed.key,
        operation=OPERATION,
        cascade=False,
        event_time=placed.time,
        sequence=time.time_ns(),
        priority=agent.spec.execution.priority,
        coalesce=agent.spec.coalesces,
        request_id=request_id,
    )


def _enter(row: NewExecution, request: Request, by: str, now: datetime) -> str:
    """Put the row on record with what the request is answered with; returns that run's id."""
    found: list[str] = []

    def note(_new: int) -> None:
        found.append(ledger.run_of(row))
        interventions.ask(found[-1], InterventionKind.TRIGGERED, by=by, request_id=row.request_id, now=now)
        repetition.answer(request, found[-1])

    try:
        # No room: a web process sends nothing to the broker, dispatch does so within a quarter of a second.
        ledger.enter([row], room={}, now=now, along=note)
    except Answered as answered:
        return answered.execution_id
    return found[-1]
