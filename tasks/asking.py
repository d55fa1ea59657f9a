"""Asking the model until the answer is valid, at most two repairs, each call on record before anything is written."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from django.db.models import QuerySet

from agents_app.errors import MongoClawError
from enrichment.answer import Answer, AnswerEmpty, AnswerInvalid
from enrichment.errors import AnswerTruncated, CallCutShort, ProviderError, ProviderTimeout
from enrichment.prompt import RenderedPrompt
from enrichment.providers import ModelReply, ModelRequest
from enrichment.request import first_request
from executions_app import statements
from executions_app.database import release_connection, write_turn
from executions_app.models import Attempt
from executions_app.run import Claimed
from executions_app.states import VALID
from executions_app.text import storable
from tasks.compiled import CompiledAgent
from tasks.errors import RunDeadlineExceeded
from tasks.persistence import persist
from tasks.runtime import Runtime

MAX_REPAIRS: Final = 2
LONGEST_ANSWER_TOKENS: Final = 65_536
USUAL_SHARE: Final = 0.9
"""A call that had so much of the usual time for one had enough: reading and rendering take their part of a run."""


@dataclass(slots=True)
class Usage:
    """What the calls of a run have consumed so far."""

    calls: int = 0
    tokens: int = 0
    known_nanousd: int = 0
    is_priced: bool = True
    """Whether the price of every call that was answered is known."""

    @property
    def cost_nanousd(self) -> int | None:
        """The sum; an unknown price makes it unknown, never smaller."""
        return self.known_nanousd if self.is_priced else None

    def add(self, reply: ModelReply | None) -> None:
        """Count one call."""
        if reply is None:
            self.calls += 1
        else:
            self.count(reply.total_tokens, reply.cost_nanousd)

    def count(self, tokens: int, cost_nanousd: int | None) -> None:
        """Count one call that was answered."""
        self.calls += 1
        self.tokens += tokens
        self.known_nanousd += cost_nanousd or 0
        self.is_priced = self.is_priced and cost_nanousd is not None


@dataclass(frozen=True, slots=True)
class Given:
    """A valid answer and where it came from."""

    value: dict[str, Any]
    model: str
    provider: str
    tokens: int
    cost_nanousd: int | None
    latency_ms: float


@dataclass(frozen=True, slots=True)
class Question:
    """A rendered prompt on its way to the model, bound to the run that asks it."""

    runtime: Runtime
    run: Claimed
    agent: CompiledAgent
    rendered: RenderedPrompt
    input_hash: str
    deadline: float
    """Monotonic seconds; holds for all calls of the run together."""


def has_answer(run: Claimed) -> bool:
    """Tell whether an answer is on record that may serve: then the run may need no call."""
    return (run.claim > 1 or bool(run.predecessor)) and _answers(run).exists()


def _answers(run: Claimed) -> QuerySet[Attempt]:
    sources = [run.id, run.predecessor] if run.predecessor else [run.id]
    return Attempt.objects.filter(execution_id__in=sources, outcome=VALID)


def stored_answer(run: Claimed, input_hash: str) -> Given | None:
    """Give the valid answer that an earlier try of this run, or the run it superseded, has paid for."""
    if run.claim == 1 and not run.predecessor:
        return None
    found = _answers(run).filter(input_hash=input_hash).last()
    if found is None or found.answer is None:
        return None
    return Given(
        value=found.answer,
        model=found.model,
        provider=found.provider,
        tokens=found.prompt_tokens + found.completion_tokens,
        cost_nanousd=found.cost_nanousd,
        latency_ms=found.latency_ms,
    )


def usage_so_far(run: Claimed) -> Usage:
    """Sum up the calls that earlier tries of this run have made."""
    usage = Usage()
    if run.claim == 1:
        return usage
    calls = Attempt.objects.filter(execution_id=run.id).order_by()
    for prompt, completion, cost in calls.values_list("prompt_tokens", "completion_tokens", "cost_nanousd"):
        if prompt:
            usage.count(prompt + completion, cost)
        else:
            usage.add(None)  # whatever was answered has counted or estimated its prompt
    return usage


def ask(question: Question, usage: Usage) -> Given:
    """Call the model, repairing an invalid or cut answer at most twice.

    Raises the last call's error; every call is stored with its reply and its problem.
    """
    identity = {"agent_id": question.run.agent_id, "execution_id": question.run.id}
    request = first_request(question.agent.spec, question.agent.contract, question.rendered, identity)
    for number in range(1, MAX_REPAIRS + 2):
        try:
            return _call(question, request, number, usage)
        except (AnswerInvalid, AnswerEmpty, AnswerTruncated) as error:
            if number > MAX_REPAIRS:
                raise
            request = _repair(question, request, error)
    raise AssertionError("the last call returns or raises")


def _repair(question: Question, request: ModelRequest, error: MongoClawError) -> ModelRequest:
    if isinstance(error, AnswerTruncated):
        return replace(request, max_tokens=min(request.max_tokens * 2, LONGEST_ANSWER_TOKENS))
    problems = error.problems if isinstance(error, AnswerInvalid) else (str(error),)
    instruction = question.agent.contract.repair_prompt(problems)
    return replace(request, user=f"{question.rendered.user}\n\n{instruction}", temperature=0.0)


def _call(question: Question, request: ModelRequest, number: int, usage: Usage) -> Given:
    runtime = question.runtime
    remaining = question.deadline - runtime.monotonic()
    if remaining <= 0:
        raise RunDeadlineExceeded
    started_at, started = runtime.now(), runtime.monotonic()
    reply: ModelReply | None = None
    error: MongoClawError | None = None
    answer: Answer | None = None
    usual = runtime.providers.request_timeout
    release_connection()
    try:
        reply = question.agent.provider.complete(replace(request, timeout=min(remaining, usual)))
        answer = question.agent.contract.parse(reply.text)
    except MongoClawError as failure:
        error = _cut_short(failure) if remaining < USUAL_SHARE * usual else failure
        if isinstance(failure, ProviderError):
            reply = failure.reply
    usage.add(reply)
    latency = (runtime.monotonic() - started) * 1000
    call = _Call(request, number, started_at, latency, reply, answer, error)
    persist(lambda: _store(question, call), stopping=runtime.stopping)
    if error is not None:
        raise error
    return _given(answer, reply, usage)


def _cut_short(error: MongoClawError) -> MongoClawError:
    """Say of a time-out whose time was too short that it is not the provider's failure."""
    if not isinstance(error, ProviderTimeout):
        return error
    cut = CallCutShort()
    cut.__cause__ = error
    return cut


def _given(answer: Answer | None, reply: ModelReply | None, usage: Usage) -> Given:
    if answer is None or reply is None:
        raise AssertionError("a call without an error has a reply and an answer")
    return Given(
        value=answer.value,
        model=reply.model,
        provider=reply.provider,
        tokens=usage.tokens,
        cost_nanousd=usage.cost_nanousd,
        latency_ms=reply.latency_ms,
    )


@dataclass(frozen=True, slots=True)
class _Call:
    request: ModelRequest
    number: int
    started_at: datetime
    latency_ms: float
    reply: ModelReply | None
    answer: Answer | None
    error: MongoClawError | None


def _store(question: Question, call: _Call) -> None:
    reply, error = call.reply, call.error
    spec = question.agent.spec
    with write_turn():
        statements.add_attempt(
            execution_id=question.run.id,
            claim=question.run.claim,
            number=call.number,
            input_hash=question.input_hash,
            started_at=call.started_at,
            latency_ms=call.latency_ms,
            provider=reply.provider if reply else spec.ai.provider,
            model=reply.model if reply else spec.ai.model,
            system_prompt=storable(call.request.system or ""),
            prompt=storable(call.request.user),
            reply=storable(reply.text) if reply else "",
            answer=call.answer.value if call.answer else None,
            fixes=list(call.answer.fixes) if call.answer else [],
            outcome=error.code if error else VALID,
            problem=storable(str(error)) if error else "",
            finish_reason=(reply.finish_reason or "") if reply else "",
            prompt_tokens=reply.prompt_tokens if reply else 0,
            completion_tokens=reply.completion_tokens if reply else 0,
            usage_estimated=reply.usage_estimated if reply else False,
            cost_nanousd=_cost(reply, error),
        )


def _cost(reply: ModelReply | None, error: MongoClawError | None) -> int | None:
    """Price a call in billionths of a dollar; None where nobody knows it, as of a call that was cut off."""
    if reply is not None:
        return reply.cost_nanousd
    return 0 if isinstance(error, ProviderError) and error.is_free else None
