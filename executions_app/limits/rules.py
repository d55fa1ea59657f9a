"""What limits one agent's calls, and under which names others may hold them up."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final

from agents_app.spec import AgentSpec
from enrichment.providers import account_of, listed_cost
from executions_app.limits.verdict import Spent

BURST_SHARE: Final = 10
"""One in so many of a minute's calls may come at once; all of them together would be twice the limit in a minute."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The limits of an agent's version; 0 is none. `account` names whose limits the provider counts its calls to."""

    agent_id: str
    account: str
    model: str
    at_once: int = 0
    per_minute: int = 0
    tokens_per_hour: int = 0
    nanousd_per_hour: int = 0
    answer: Spent = field(default_factory=Spent)
    """The most that one answer takes of a budget."""

    def within(self, limits: Rules) -> Rules:
        """Return the rules of this version's provider and model within the limits of another version."""
        return replace(
            self,
            at_once=limits.at_once,
            per_minute=limits.per_minute,
            tokens_per_hour=limits.tokens_per_hour,
            nanousd_per_hour=limits.nanousd_per_hour,
        )

    @property
    def is_bounded(self) -> bool:
        """Whether the agent itself has a limit, so that each call has to be asked for."""
        return bool(self.at_once or self.per_minute or self.tokens_per_hour or self.nanousd_per_hour)

    @property
    def burst(self) -> int:
        """How many calls may come at once after a quiet time."""
        return max(1, self.per_minute // BURST_SHARE)

    @property
    def agent(self) -> str:
        """The name of the agent's quarantine."""
        return f"agent:{self.agent_id}"

    @property
    def circuit(self) -> str:
        """The name of the circuit breaker of one model: others of the same provider may be well."""
        return f"circuit:{self.account}/{self.model}"

    @property
    def cooldown(self) -> str:
        """The name of the provider's cool-down."""
        return f"cooldown:{self.account}"

    @property
    def model_cooldown(self) -> str:
        """The name of the cool-down of one model: providers count requests by the model."""
        return f"cooldown:{self.account}/{self.model}"

    @property
    def names(self) -> tuple[str, ...]:
        """All names under which a pause holds the agent's calls."""
        return (self.agent, self.circuit, self.cooldown, self.model_cooldown)


def rules_of(spec: AgentSpec) -> Rules:
    """Read the limits of an agent's version."""
    execution = spec.execution
    limits = Rules(
        agent_id=spec.id,
        account=account_of(spec.ai),
        model=spec.ai.model,
        at_once=execution.max_concurrency or 0,
        per_minute=execution.rate_limit_requests or 0,
        tokens_per_hour=execution.token_limit or 0,
        nanousd_per_hour=round((execution.cost_limit_usd or 0) * 1e9),
    )
    return replace(limits, answer=most_of_a_call(spec, limits, prompt_tokens=0))


def most_of_a_call(spec: AgentSpec, limits: Rules, *, prompt_tokens: int) -> Spent:
    """Say what a call takes of its agent's budgets if the answer is as long as it may be. An unknown price is 0."""
    longest = spec.ai.max_tokens
    priced = limits.nanousd_per_hour and listed_cost(spec.ai, prompt_tokens, longest)
    return Spent(calls=1, tokens=prompt_tokens + longest, nanousd=priced or 0)
