"""The pipeline of one run: from a claimed row to its settlement.

claim → load document → guards → render → fingerprint → admit → call model → parse + validate (+ repair) → policy →
write back → settle
"""

from __future__ import annotations

import traceback
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from bson import Timestamp
from django.db import InterfaceError, OperationalError

from agents_app import registry
from agents_app.errors import MongoClawError, VersionUnreadable
from agents_app.spec import AgentSpec, ConsistencyMode, ExecutionSpec, Operation
from enrichment.fingerprint import fingerprint
from enrichment.prompt import PromptContext, RenderedPrompt, event_context
from enrichment.writeback import Provenance, ReadState, apply_write, plan_write
from executions_app import holds, transitions
from executions_app.database import drop_broken_connection, release_connection
from executions_app.identity import unpack_key
from executions_app.limits import Rules, rules_of
from executions_app.metrics.names import agent_label
from executions_app.run import Claimed, Postponement, Settlement
from executions_app.states import Reason, Status
from tasks.admission import ask_admitted, held_up, present_rules
from tasks.asking import Given, Question, Usage, stored_answer, usage_so_far
from tasks.compiled import CompiledAgent, compiled_agent
from tasks.errors import InputChanged, LedgerUnreachable, UnexpectedFailure
from tasks.guards import hops_exhausted
from tasks.loading import Loaded, load_document
from tasks.metrics import POLICY_DECISIONS
from tasks.outage import provider_is_down
from tasks.persistence import persist
from tasks.retry import Failure, decide
from tasks.runtime import Document, Runtime
from tasks.unchanged import Standing, standing_answer

LEAST_WRITE_SECONDS: Final = 5.0
"""An answer that was paid for gets at least this long to be written, even past the run's deadline."""

UNDISPUTED: Final = timedelta(seconds=2)
"""No worker is given up for dead after so short a silence, as settings are delivered."""

_WRITTEN: Final = Settlement(status=Status.COMPLETED, reason=Reason.WRITTEN, written=True)


@dataclass(frozen=True, slots=True)
class _Work:
    """What the steps of one run hand to each other."""

    runtime: Runtime
    run: Claimed
    agent: CompiledAgent
    rules: Rules
    deadline: float
    usage: Usage


def perform(runtime: Runtime, run: Claimed) -> Settlement | Postponement:
    """Carry a claimed row through the pipeline and say what becomes of it. Never raises for a failed document."""
    usage = Usage()
    error: MongoClawError
    try:
        usage = usage_so_far(run)
        return _counted(_perform(runtime, run, usage), usage)
    except MongoClawError as failure:
        error = failure
    except (OperationalError, InterfaceError) as failure:
        error = LedgerUnreachable()
        error.__cause__ = failure
        drop_broken_connection()
    except Exception as failure:  # noqa: BLE001 - the boundary: any failure of a document becomes its record
        error = UnexpectedFailure(f"{type(failure).__name__}: {failure}")
        error.__cause__ = failure
    # Asked for until the ledger answers: a row that is left running by a living worker is nobody's.
    return _counted(persist(lambda: _failed(runtime, run, error), stopping=runtime.stopping), usage)


def _perform(runtime: Runtime, run: Claimed, usage: Usage) -> Settlement | Postponement:
    current = registry.current_version(run.agent_id, monotonic=runtime.monotonic())
    if current is None:
        return Postponement(reason=Reason.AGENT_DISABLED, due_at=runtime.now())
    if holds.recent(runtime.now()).of(run.agent_id):
        # Not at once: dispatch knows of the end of a hold before this process does.
        return Postponement(reason=Reason.HELD, due_at=runtime.now() + holds.STALE)
    agent = compiled_agent(run.version_id, runtime.providers)
    rules = present_rules(agent, run.version_id, current)
    waits = held_up(runtime, run, rules)
    if waits is not None:
        return waits
    deadline = runtime.monotonic() + agent.spec.execution.timeout_seconds
    work = _Work(runtime, run, agent, rules, deadline, usage)
    loaded = load_document(runtime, run, agent.spec, timeout=agent.spec.execution.timeout_seconds)
    if loaded.document is None:
        return _skipped(loaded.missing or Reason.DOCUMENT_NOT_FOUND)
    if hops_exhausted(run, agent.spec, unpack_key(run.document_key)):
        return _skipped(Reason.MAX_HOPS)
    return _enrich(work, loaded, loaded.document)


def _enrich(work: _Work, loaded: Loaded, document: Document) -> Settlement | Postponement:
    rendered = work.agent.prompt.render(_context(work, loaded, document))
    input_hash = fingerprint(work.agent.behaviour, rendered)
    standing = standing_answer(work.runtime, work.run, work.agent.spec, document, input_hash)
    if standing is Standing.OWN_WRITE:
        return replace(_WRITTEN, input_hash=input_hash)
    if standing is Standing.SAME_INPUT and work.agent.spec.execution.deduplicate:
        return replace(_skipped(Reason.UNCHANGED_INPUT), input_hash=input_hash)
    given = stored_answer(work.run, input_hash)
    if given is None:
        question = Question(work.runtime, work.run, work.agent, rendered, input_hash, work.deadline)
        asked = ask_admitted(question, work.rules, work.usage)
        if isinstance(asked, Postponement):
            return asked
        given = asked
    return replace(_write(work, loaded, rendered, given, input_hash), input_hash=input_hash)


def _counted(end: Settlement | Postponement, usage: Usage) -> Settlement | Postponement:
    """Say what the run's calls have used so far: one that waits may be called off and keep that for ever."""
    return replace(end, model_calls=usage.calls, tokens_used=usage.tokens, cost_nanousd=usage.cost_nanousd)


def _context(work: _Work, loaded: Loaded, document: Document) -> PromptContext:
    run = work.run
    return event_context(
        document,
        operation=loaded.operation,
        namespace=(run.database, run.collection),
        cluster_time=run.event_time,
        agent=work.agent.declared,
        hidden=work.agent.hidden,
        now=work.runtime.now(),
        before=loaded.before,
    )


def _write(
    work: _Work, loaded: Loaded, rendered: RenderedPrompt, given: Given, input_hash: str
) -> Settlement:
    document = loaded.document or {}
    decision = work.agent.policy.decide(document, given.value)
    if work.agent.spec.policy is not None:
        matched = str(decision.matched).lower()
        POLICY_DECISIONS.labels(agent_label(work.run.agent_id), decision.action, matched).inc()
    if not decision.write:
        return _skipped(decision.reason or Reason.SHADOW_MODE)
    spec, run = work.agent.spec, work.run
    plan = plan_write(
        spec,
        document["_id"],
        decision.result,
        _provenance(run, spec.version, loaded.as_of, given, input_hash),
        None if loaded.operation == Operation.DELETE else ReadState(document, rendered.reads),
        now=work.runtime.now(),
    )
    if spec.execution.consistency_mode is ConsistencyMode.SHADOW:
        return _skipped(Reason.SHADOW_MODE)
    if _was_given_up(work):
        return _skipped(Reason.SUPERSEDED)
    remaining = max(work.deadline - work.runtime.monotonic(), LEAST_WRITE_SECONDS)
    release_connection()
    result = apply_write(work.runtime.mongo, plan, timeout=remaining)
    if result.outcome in {"written", "already_written"}:
        return _WRITTEN
    if result.outcome == "conflict" and spec.execution.on_conflict == "rerun":
        raise InputChanged(code=result.reason)
    return _skipped(result.reason)


def _was_given_up(work: _Work) -> bool:
    """Tell whether another worker has this run by now. It is asked of long runs only: a short one cannot be lost.

    The document fences a late write off, unless a user has replaced it: what the other worker wrote went with it.
    """
    is_long = work.runtime.now() - work.run.started_at > UNDISPUTED
    return is_long and not transitions.is_held(work.run)


def _provenance(run: Claimed, version: int, as_of: Timestamp, given: Given, input_hash: str) -> Provenance:
    return Provenance(
        execution_id=run.id,
        agent_id=run.agent_id,
        version=version,
        input_hash=input_hash,
        as_of=as_of,
        claim=run.claim,
        model=given.model,
        provider=given.provider,
        tokens=given.tokens,
        cost_usd=None if given.cost_nanousd is None else given.cost_nanousd / 1e9,
        latency_ms=given.latency_ms,
    )


def _skipped(reason: str) -> Settlement:
    return Settlement(status=Status.SKIPPED, reason=reason)


def _failed(runtime: Runtime, run: Claimed, error: MongoClawError) -> Settlement | Postponement:
    spec = _spec(run)
    policy = ExecutionSpec() if spec is None else spec.execution
    failure = Failure(
        error=error,
        traceback="".join(traceback.format_exception(error)),
        attempts=run.attempts,
        deferrals=run.deferrals,
        outage=run.attempts >= policy.max_retries and provider_is_down(run),
    )
    end = decide(failure, policy, now=runtime.now(), uniform=runtime.uniform)
    if spec is not None and (isinstance(end, Settlement) or end.burns_attempt):
        runtime.gate.failed(rules_of(spec))
    return end


def _spec(run: Claimed) -> AgentSpec | None:
    try:
        return registry.spec_of(run.version_id)
    except VersionUnreadable:
        return None  # what failed is this very reading; no retry policy changes that
