"""What the end of a call teaches about its provider. Pure: from the error's class and Retry-After to a report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from agents_app.errors import MongoClawError
from enrichment.errors import (
    CallCutShort,
    ProviderError,
    ProviderError5xx,
    ProviderTimeout,
    ProviderUnavailable,
    QuotaExhausted,
    RateLimited,
)
from executions_app.limits.rules import Rules
from executions_app.states import Reason

LONGEST_ASKED_MS: Final = 3_600_000


@dataclass(frozen=True, slots=True)
class Lesson:
    """A report to the limiter: about which name, and what. See `report.lua`; times are milliseconds."""

    what: str
    name: str
    reason: Reason | None = None
    asked_ms: int = 0
    first_ms: int = 0
    longest_ms: int = 0


def lessons_of(error: MongoClawError, rules: Rules) -> tuple[Lesson, ...]:
    """Say what a failed call teaches. An answer that only this document got (a refusal, a cut) teaches nothing.

    1. 429: this model's calls pause, as long as was asked, or a second, doubled each time, up to a minute.
    2. No credit left: all of the provider's calls pause, a minute, doubled up to an hour.
    3. Unreachable or overloaded (503, 529): a failure for the circuit; with Retry-After a pause as well.
    4. It failed while it worked, or took too long: a failure for the circuit. Unless it was given less time than
       calls usually have: that says something of the agent.
    """
    asked = round(min((getattr(error, "retry_after", None) or 0.0) * 1000, LONGEST_ASKED_MS))
    if isinstance(error, RateLimited):
        return (Lesson("pause", rules.model_cooldown, Reason.PROVIDER_COOLDOWN, asked, 1_000, 60_000),)
    if isinstance(error, QuotaExhausted):
        return (Lesson("pause", rules.cooldown, Reason.PROVIDER_QUOTA, asked, 60_000, 3_600_000),)
    if isinstance(error, CallCutShort):
        return ()
    if isinstance(error, (ProviderUnavailable, ProviderError5xx, ProviderTimeout)):
        failed = Lesson("failed", rules.circuit)
        if not asked:
            return (failed,)
        return (failed, Lesson("pause", rules.cooldown, Reason.PROVIDER_COOLDOWN, asked, 1_000, 60_000))
    return ()


def is_answer(error: MongoClawError) -> bool:
    """Say whether the provider is well, although this call was of no use."""
    ill = (RateLimited, QuotaExhausted, ProviderUnavailable, ProviderError5xx, ProviderTimeout)
    return not isinstance(error, ProviderError) or not isinstance(error, ill)
