"""What the end of a call teaches about its provider: a table, and that nothing else teaches anything."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents_app.errors import Decision, MongoClawError
from enrichment import errors
from executions_app.limits import Rules, lessons_of
from executions_app.limits.lessons import LONGEST_ASKED_MS, is_answer
from executions_app.limits.pauses import Pause, Pauses, read_pauses
from executions_app.states import Reason

RULES = Rules(agent_id="triage", account="openai", model="gpt-4o")


def family(root: type[MongoClawError]) -> list[type[MongoClawError]]:
    return [root, *(found for child in root.__subclasses__() for found in family(child))]


@pytest.mark.parametrize(
    ("error", "taught"),
    [
        (errors.RateLimited(), [("pause", "cooldown:openai/gpt-4o", 0)]),
        (errors.RateLimited(retry_after=7.5), [("pause", "cooldown:openai/gpt-4o", 7500)]),
        (errors.QuotaExhausted(), [("pause", "cooldown:openai", 0)]),
        (errors.ProviderUnavailable(), [("failed", "circuit:openai/gpt-4o", 0)]),
        (
            errors.ProviderUnavailable(status=529, retry_after=3),
            [("failed", "circuit:openai/gpt-4o", 0), ("pause", "cooldown:openai", 3000)],
        ),
        (errors.ProviderError5xx(), [("failed", "circuit:openai/gpt-4o", 0)]),
        (errors.ProviderBadResponse(), [("failed", "circuit:openai/gpt-4o", 0)]),
        (errors.ProviderTimeout(), [("failed", "circuit:openai/gpt-4o", 0)]),
        (errors.CallCutShort(), []),
        (errors.ProviderAuthFailed(), []),
        (errors.ProviderRejected(), []),
        (errors.AnswerRefused(), []),
        (errors.AnswerTruncated(), []),
        (errors.PromptTooLong(), []),
        (errors.WriteRefused(), []),
    ],
    ids=lambda value: type(value).__name__,
)
def test_each_error_teaches_what_the_table_says(
    error: MongoClawError, taught: list[tuple[str, str, int]]
) -> None:
    assert [(one.what, one.name, one.asked_ms) for one in lessons_of(error, RULES)] == taught


def test_every_error_that_defers_for_the_provider_keeps_others_from_asking() -> None:
    deferring = [found for found in family(errors.ProviderError) if found.decision is Decision.DEFER]

    assert deferring
    assert all(lessons_of(found(), RULES) for found in deferring)
    assert not any(is_answer(found()) for found in deferring)


@given(st.floats(0, 1e9))
def test_no_provider_pauses_its_calls_for_longer_than_an_hour_by_asking(seconds: float) -> None:
    [lesson] = lessons_of(errors.RateLimited(retry_after=seconds), RULES)

    assert 0 <= lesson.asked_ms <= LONGEST_ASKED_MS


def test_a_pause_holds_the_calls_of_its_names_until_its_end_on_the_limiters_clock() -> None:
    pauses = Pauses(
        {"cooldown:openai": Pause("provider_cooldown", 61_000), "agent:triage": Pause("quarantined", 50_500)},
        server_ms=50_000,
        monotonic=7.0,
    )

    held = pauses.holding(RULES.names, monotonic=7.0)
    assert held is not None
    assert (held.reason, held.seconds) == (Reason.PROVIDER_COOLDOWN, 11.0)
    assert pauses.holding(RULES.names, monotonic=18.0) is None
    assert pauses.holding(["agent:other"], monotonic=7.0) is None
    assert [one.name for one in pauses.in_force(monotonic=8.0)] == ["cooldown:openai"]


def test_a_mark_that_a_provider_fails_holds_nobody_up() -> None:
    pauses = Pauses(read_pauses({"circuit:openai/gpt-4o": "failing:49999"}), server_ms=50_000, monotonic=0.0)

    assert pauses.holding(RULES.names, monotonic=0.0) is None
    assert pauses.known(RULES.names) == ["circuit:openai/gpt-4o"]
