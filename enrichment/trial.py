"""Trying an agent on a document: everything that a worker would do, and nothing written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from bson import Timestamp

from agents_app.spec import AgentSpec
from enrichment.answer import Answer, AnswerEmpty, AnswerInvalid, compile_schema
from enrichment.fingerprint import fingerprint
from enrichment.policy import PolicyDecision, compile_policy
from enrichment.prompt import PromptContext, RenderedPrompt, compile_prompt
from enrichment.providers import ModelReply, ModelRequest
from enrichment.request import first_request
from enrichment.writeback import Provenance, ReadState, WritePlan, hidden_roots, plan_write

TRIAL: Final = "trial"
"""What stands for the execution's id, since there is none."""

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Rendering:
    """An agent's prompts for a document, and the names that its templates use."""

    prompts: RenderedPrompt
    variables: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a worker would do with a reply.

    Without an `answer` the reply does not fit, for these `problems`. Without a `plan` nothing would be written, for the
    reason that `decision` gives.
    """

    answer: Answer | None = None
    problems: tuple[str, ...] = ()
    decision: PolicyDecision | None = None
    plan: WritePlan | None = None


def render(spec: AgentSpec, document: Document, *, now: datetime) -> Rendering:
    """Render the prompts. Raises the errors of `enrichment.prompt`."""
    compiled = compile_prompt(spec)
    operation = spec.watch.operations[0].value
    event = {
        "operation": operation,
        "database": spec.watch.database,
        "collection": spec.watch.collection,
        "document_key": {"_id": document.get("_id")},
    }
    context = PromptContext(
        document=document,
        event=event,
        operation=operation,
        agent=spec.model_dump(mode="json"),
        now=now,
        hidden=hidden_roots(spec),
    )
    return Rendering(compiled.render(context), tuple(sorted(compiled.variables)))


def question(spec: AgentSpec, prompts: RenderedPrompt, *, longest: float) -> ModelRequest:
    """Return the request that a worker makes first; `longest` is the most seconds that it may take."""
    metadata = {"agent_id": spec.id, "execution_id": TRIAL}
    request = first_request(spec, compile_schema(spec.ai.response_schema), prompts, metadata)
    return replace(request, timeout=min(spec.execution.timeout_seconds, longest))


def follow(
    spec: AgentSpec, document: Document, prompts: RenderedPrompt, reply: ModelReply, *, now: datetime
) -> Outcome:
    """Follow a reply to the update that would be made. Raises WriteRefused where an answer cannot be written."""
    try:
        answer = compile_schema(spec.ai.response_schema).parse(reply.text)
    except AnswerInvalid as error:
        return Outcome(problems=tuple(error.problems))
    except AnswerEmpty as error:
        return Outcome(problems=(str(error),))
    decision = compile_policy(spec.policy).decide(document, answer.value)
    if not decision.write:
        return Outcome(answer, decision=decision)
    plan = _plan(spec, document, prompts, reply, decision, now)
    return Outcome(answer, decision=decision, plan=plan)


def _plan(  # noqa: PLR0917 - the order of the story: whose, on what, asked what, answered, decided, when
    spec: AgentSpec,
    document: Document,
    prompts: RenderedPrompt,
    reply: ModelReply,
    decision: PolicyDecision,
    now: datetime,
) -> WritePlan:
    trial = Provenance(
        execution_id=TRIAL,
        agent_id=spec.id,
        version=spec.version,
        input_hash=fingerprint("", prompts),
        as_of=Timestamp(int(now.timestamp()), 1),
        claim=1,
        model=reply.model,
        provider=reply.provider,
        tokens=reply.total_tokens,
        cost_usd=None if reply.cost_nanousd is None else reply.cost_nanousd / 1e9,
        latency_ms=reply.latency_ms,
    )
    read = ReadState(document, prompts.reads)
    return plan_write(spec, document["_id"], decision.result, trial, read, now)
