"""What becomes of a failed run."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents_app.errors import Decision, MongoClawError
from agents_app.spec import ExecutionSpec
from executions_app.run import Postponement, Settlement
from executions_app.states import Reason, Status
from tasks.retry import LONGEST_ASKED_WAIT, Failure, backoff, decide

NOW = datetime(2026, 11, 20, tzinfo=UTC)
POLICY = ExecutionSpec(max_retries=3, retry_delay_seconds=1, retry_max_delay_seconds=60)


class Transient(MongoClawError):
    """The provider stumbled."""

    decision: ClassVar[Decision] = Decision.RETRY
    code: ClassVar[str] = "provider_error"


class Limited(MongoClawError):
    """Too many requests."""

    decision: ClassVar[Decision] = Decision.DEFER
    code: ClassVar[str] = "rate_limited"
    retry_after = 30.0


class Greedy(Limited):
    """Come back in a year."""

    retry_after = 1e9


class Broken(MongoClawError):
    """This document cannot be processed."""

    decision: ClassVar[Decision] = Decision.DEAD
    code: ClassVar[str] = "answer_refused"


def most(_low: float, high: float) -> float:
    """Draw the upper end."""
    return high


def failure(error: MongoClawError, *, attempts: int = 0, deferrals: int = 0, outage: bool = False) -> Failure:
    return Failure(error=error, traceback="Traceback", attempts=attempts, deferrals=deferrals, outage=outage)


@given(
    tries=st.integers(0, 10_000),
    base=st.floats(0.001, 100),
    longest=st.floats(0.001, 10_000),
    share=st.floats(0, 1),
)
def test_a_wait_is_never_negative_and_never_above_its_maximum(
    tries: int, base: float, longest: float, share: float
) -> None:
    wait = backoff(tries, base=base, longest=longest, uniform=lambda low, high: low + (high - low) * share)

    assert 0 <= wait <= longest


def test_the_ceiling_doubles_with_every_try() -> None:
    ceilings = [backoff(n, base=1, longest=60, uniform=most) for n in range(8)]

    assert ceilings == [1, 2, 4, 8, 16, 32, 60, 60]


@pytest.mark.parametrize("attempts", [0, 1, 2])
def test_a_transient_error_burns_an_attempt_and_comes_again(attempts: int) -> None:
    end = decide(failure(Transient(), attempts=attempts), POLICY, now=NOW, uniform=most)

    assert isinstance(end, Postponement)
    assert end.burns_attempt
    assert end.due_at == NOW + timedelta(seconds=2**attempts)


def test_after_max_retries_the_run_is_a_dead_letter_with_its_traceback() -> None:
    end = decide(failure(Transient(), attempts=3), POLICY, now=NOW, uniform=most)

    assert isinstance(end, Settlement)
    assert (end.status, end.reason, end.traceback) == (Status.FAILED, "provider_error", "Traceback")


def test_with_zero_retries_the_first_failure_is_the_last() -> None:
    policy = POLICY.model_copy(update={"max_retries": 0})

    end = decide(failure(Transient()), policy, now=NOW, uniform=most)

    assert isinstance(end, Settlement)


def test_an_outage_for_everybody_is_waited_out_instead() -> None:
    end = decide(failure(Transient(), attempts=3, deferrals=2, outage=True), POLICY, now=NOW, uniform=most)

    assert isinstance(end, Postponement)
    assert (end.reason, end.burns_attempt) == (Reason.PROVIDER_OUTAGE, False)


def test_a_rate_limit_burns_nothing_and_waits_as_long_as_was_asked() -> None:
    end = decide(failure(Limited(), attempts=3), POLICY, now=NOW, uniform=lambda low, _high: low)

    assert isinstance(end, Postponement)
    assert not end.burns_attempt
    assert end.due_at == NOW + timedelta(seconds=30)


def test_an_absurd_retry_after_is_cut() -> None:
    end = decide(failure(Greedy()), POLICY, now=NOW, uniform=most)

    assert isinstance(end, Postponement)
    assert end.due_at == NOW + timedelta(seconds=LONGEST_ASKED_WAIT)


def test_what_cannot_succeed_is_not_tried_again() -> None:
    end = decide(failure(Broken()), POLICY, now=NOW, uniform=most)

    assert isinstance(end, Settlement)
    assert end.error == "This document cannot be processed."
