"""Asking a model from the web server: within the agent's limits, and never through litellm."""

from __future__ import annotations

import time
import uuid
from typing import ClassVar, Final

import structlog

from agents_app.errors import Decision, MongoClawError
from agents_app.spec import AgentSpec
from enrichment.errors import ProviderError
from enrichment.prompt import RenderedPrompt
from enrichment.providers import ModelReply, ProviderConfig, provider_for, route
from enrichment.trial import question
from executions_app.limits import Admitted, Limiter, LimiterUnavailable, Refused, Rules, Spent, rules_of
from executions_app.limits.limiter import connect
from executions_app.states import reason_meaning
from mongoclaw_project.config import current

log = structlog.get_logger(__name__)

THROUGH_LITELLM: Final = "litellm"
BYTES_PER_TOKEN: Final = 4


class NotFromHere(MongoClawError):
    """The web server does not call this model."""

    decision: ClassVar[Decision] = Decision.PERMANENT
    code: ClassVar[str] = "not_from_here"


class CallHeldUp(MongoClawError):
    """A limit holds the call up."""

    decision: ClassVar[Decision] = Decision.DEFER
    code: ClassVar[str] = "call_held_up"


def refuse_litellm(spec: AgentSpec, config: ProviderConfig) -> None:
    """Raise NotFromHere where the call would need litellm: it takes 150 MB, which only workers have."""
    if route(spec.ai, config) == THROUGH_LITELLM:
        raise NotFromHere(
            f"{spec.ai.provider}/{spec.ai.model} is called through litellm, which only workers and commands load. "
            f"Publish the agent with `enabled: false` and run `mongoclaw test agent {spec.id} -f document.json`"
        )


def ask(spec: AgentSpec, prompts: RenderedPrompt, config: ProviderConfig, *, by: str) -> ModelReply:
    """Ask once; what it takes counts against the agent's limits, as a run's call does.

    Raises NotFromHere, CallHeldUp and ProviderError.
    """
    refuse_litellm(spec, config)
    rules = rules_of(spec)
    limiter = Limiter(
        connect(current().redis.url),
        lease_seconds=config.request_timeout + 1,
        monotonic=time.monotonic,
    )
    admitted = _enter(limiter, rules, tokens=len(prompts.user) // BYTES_PER_TOKEN)
    reply: ModelReply | None = None
    try:
        reply = provider_for(spec.ai, config).complete(
            question(spec, prompts, longest=config.request_timeout)
        )
    except ProviderError as error:
        reply = error.reply
        raise
    finally:
        _leave(limiter, rules, admitted, reply)
        cost = None if reply is None else reply.cost_nanousd
        log.info("agent.tried", agent_id=spec.id, by=by, answered=reply is not None, cost_nanousd=cost)
    return reply


def _enter(limiter: Limiter, rules: Rules, *, tokens: int) -> Admitted | None:
    try:
        answer = limiter.admit(rules, f"trial:{uuid.uuid4().hex}", tokens=tokens)
    except LimiterUnavailable:
        if rules.is_bounded:
            raise CallHeldUp("Redis, which keeps the agent's limits, does not answer") from None
        return None
    if isinstance(answer, Refused):
        raise CallHeldUp(f"{answer.reason}: {reason_meaning(answer.reason)}")
    return answer


def _leave(limiter: Limiter, rules: Rules, admitted: Admitted | None, reply: ModelReply | None) -> None:
    if admitted is None:
        return
    tokens, nanousd = (0, 0) if reply is None else (reply.total_tokens, reply.cost_nanousd or 0)
    try:
        limiter.release(rules, admitted, Spent(calls=1, tokens=tokens, nanousd=nanousd))
    except LimiterUnavailable:
        log.warning("trial.not_counted", agent_id=rules.agent_id)
