"""What becomes of a run that failed: again later, or a dead letter. The one retry layer of the system."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from agents_app.errors import Decision, MongoClawError
from agents_app.spec import ExecutionSpec
from executions_app.run import Postponement, Settlement
from executions_app.states import Reason, Status

LONGEST_ASKED_WAIT: Final = 3600.0
"""Seconds; a provider that asks for more with Retry-After is asked again after this."""

Uniform = Callable[[float, float], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A run's failure and what the decision about it depends on."""

    error: MongoClawError
    traceback: str
    attempts: int
    deferrals: int
    outage: bool
    """The provider fails for other runs as well and has succeeded for none since this row first failed."""


def backoff(tries: int, *, base: float, longest: float, uniform: Uniform) -> float:
    """Give the seconds to wait after `tries` earlier failures: full jitter under an exponential ceiling.

    Source: the AWS Architecture Blog, "Exponential Backoff And Jitter".
    """
    ceiling = min(longest, base * 2.0 ** min(tries, 32))
    return uniform(0.0, ceiling)


def decide(
    failure: Failure, policy: ExecutionSpec, *, now: datetime, uniform: Uniform
) -> Settlement | Postponement:
    """Turn a failure into the row's next state.

    1. A permanent or document-level error is a dead letter at once.
    2. A deferral waits without burning an attempt.
    3. A transient error burns one of `max_retries`; with none left it is a dead letter, unless the provider is
       down for everybody: then the row waits it out.
    """
    error = failure.error
    if error.decision in {Decision.DEAD, Decision.PERMANENT}:
        return dead_letter(failure)
    deferred = error.decision is Decision.DEFER
    if not deferred and failure.attempts >= policy.max_retries:
        if not failure.outage:
            return dead_letter(failure)
        deferred = True
    tries = failure.deferrals if deferred else failure.attempts
    wait = backoff(
        tries, base=policy.retry_delay_seconds, longest=policy.retry_max_delay_seconds, uniform=uniform
    )
    asked = getattr(error, "retry_after", None) or 0.0
    wait = max(wait, min(float(asked), LONGEST_ASKED_WAIT))
    return Postponement(
        reason=Reason.PROVIDER_OUTAGE if deferred and error.decision is Decision.RETRY else error.code,
        due_at=now + timedelta(seconds=wait),
        burns_attempt=not deferred,
        error_type=error.code,
        error=str(error),
        traceback=failure.traceback,
    )


def dead_letter(failure: Failure) -> Settlement:
    """End the run as failed, with everything that explains it."""
    return Settlement(
        status=Status.FAILED,
        reason=failure.error.code,
        error_type=failure.error.code,
        error=str(failure.error),
        traceback=failure.traceback,
    )
