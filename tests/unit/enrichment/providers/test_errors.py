from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import urllib3.exceptions
from hypothesis import given
from hypothesis import strategies as st

from agents_app.errors import Decision
from enrichment import errors
from enrichment.providers import http_errors, litellm_errors
from enrichment.providers.failures import Refusal, classify, read_refusal
from enrichment.providers.redaction import MAX_LENGTH, redact
from enrichment.providers.retry_after import MAX_SECONDS, retry_after

NOW = datetime(2026, 11, 20, 12, 0, 0, tzinfo=UTC)


def _tree(root: type[BaseException]) -> Iterator[type[BaseException]]:
    yield root
    for child in root.__subclasses__():
        yield from _tree(child)


@pytest.mark.parametrize(
    "error",
    sorted(
        {kind for kind in _tree(urllib3.exceptions.HTTPError) if kind.__module__ == "urllib3.exceptions"},
        key=str,
    ),
    ids=str,
)
def test_every_error_of_urllib3_has_an_entry(error: type[BaseException]) -> None:
    assert error in http_errors.MEANING


def test_every_error_of_litellm_has_an_entry_and_no_entry_is_left_over() -> None:
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    import litellm.exceptions

    own = {
        name
        for name, kind in vars(litellm.exceptions).items()
        if isinstance(kind, type) and issubclass(kind, Exception) and kind.__module__.startswith("litellm")
    }
    assert own == set(litellm_errors.MEANING)
    assert len(own) == 32


def test_what_was_never_sent_burns_no_attempt_and_what_was_sent_does() -> None:
    exceptions = urllib3.exceptions
    for kind in (
        exceptions.NameResolutionError,
        exceptions.NewConnectionError,
        exceptions.ConnectTimeoutError,
    ):
        assert http_errors.meaning(kind).decision is Decision.DEFER
    assert http_errors.meaning(exceptions.ReadTimeoutError) is errors.ProviderTimeout
    assert http_errors.meaning(exceptions.ProtocolError).decision is Decision.RETRY


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (
            429,
            {"error": {"message": "Rate limit reached", "code": "rate_limit_exceeded"}},
            errors.RateLimited,
        ),
        (429, {"error": {"message": "x", "code": "insufficient_quota"}}, errors.QuotaExhausted),
        (
            429,
            {"error": {"code": 429, "message": "You exceeded your current quota. Please retry in 34.07s."}},
            errors.RateLimited,
        ),
        (402, {"error": "Payment Required"}, errors.QuotaExhausted),
        (403, {"error": {"message": "insufficient credits"}}, errors.QuotaExhausted),
        (400, {"error": {"message": "Your credit balance is too low"}}, errors.QuotaExhausted),
        (401, {"error": {"message": "no"}}, errors.ProviderAuthFailed),
        (403, {}, errors.ProviderAuthFailed),
        (
            400,
            {"error": {"message": "API key not valid.", "status": "INVALID_ARGUMENT"}},
            errors.ProviderAuthFailed,
        ),
        (404, {"error": {"code": "model_not_found"}}, errors.ProviderRejected),
        (400, {"error": {"message": "unknown parameter"}}, errors.ProviderRejected),
        (422, {"detail": "bad"}, errors.ProviderRejected),
        (400, {"error": {"code": "context_length_exceeded"}}, errors.PromptTooLong),
        (400, {"error": {"message": "prompt is too long: 9 tokens > 8 maximum"}}, errors.PromptTooLong),
        (413, "<html>", errors.PromptTooLong),
        (400, {"error": {"code": "content_filter"}}, errors.AnswerRefused),
        (408, None, errors.ProviderTimeout),
        (500, "<html>", errors.ProviderError5xx),
        (500, {"error": {"message": "The server is overloaded"}}, errors.ProviderUnavailable),
        (502, None, errors.ProviderUnavailable),
        (503, None, errors.ProviderUnavailable),
        (504, None, errors.ProviderUnavailable),
        (529, {"type": "error", "error": {"type": "overloaded_error"}}, errors.ProviderUnavailable),
        (301, None, errors.ProviderRejected),
        (418, None, errors.ProviderRejected),
        (599, None, errors.ProviderError5xx),
    ],
)
def test_status_and_code_decide(status: int, body: object, expected: type[errors.ProviderError]) -> None:
    assert classify(read_refusal(status, body)) is expected


@given(status=st.integers(300, 599), words=st.text(max_size=40))
def test_every_refusal_has_a_class(status: int, words: str) -> None:
    assert issubclass(classify(Refusal(status, message=words)), errors.ProviderError)


@pytest.mark.parametrize(
    "body",
    [None, [], "", 5, {"error": None}, {"error": []}, {"error": {"code": [], "message": {}}}, {"detail": 1}],
)
def test_an_error_body_of_any_shape_is_read(body: object) -> None:
    assert read_refusal(500, body).status == 500


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": " 0.5 "}, 0.5),
        ({"retry-after": "-3"}, 0.0),
        ({"retry-after": "999999"}, MAX_SECONDS),
        ({"retry-after": "inf"}, MAX_SECONDS),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after": "Fri, 20 Nov 2026 12:00:30 GMT"}, 30.0),
        ({"retry-after": "Fri, 20 Nov 2026 11:00:00 GMT"}, 0.0),
        # Our clock is an hour behind the provider's: what counts is the provider's own.
        ({"retry-after": "Fri, 20 Nov 2026 13:00:05 GMT", "date": "Fri, 20 Nov 2026 13:00:00 GMT"}, 5.0),
        ({"retry-after": "Fri, 99 Nov 2026 12:00:30 GMT"}, None),
    ],
)
def test_retry_after_is_read_in_seconds_and_as_a_date(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers, now=NOW) == seconds


@given(st.text(max_size=60))
def test_any_retry_after_is_harmless(text: str) -> None:
    seconds = retry_after({"retry-after": text}, now=NOW)
    assert seconds is None or 0 <= seconds <= MAX_SECONDS


@pytest.mark.parametrize(
    "text",
    [
        "Incorrect API key provided: sk-proj-abcdefgh1234567890.",
        "Incorrect API key provided: sk-proj-abc**********7890.",
        "bad header Authorization: Bearer abcd.efgh-ijkl",
        "GET https://host/path?key=abcdefgh1234567890&x=1",
        "http://user:abcdefgh1234567890@host/",
        "the token was my-very-own-secret",
        "AIzaSyabcdefgh1234567890abcdefgh",
    ],
)
def test_keys_are_taken_out_of_messages(text: str) -> None:
    redacted = redact(text, secrets=("my-very-own-secret",))
    assert "[key]" in redacted
    for secret in ("abcdefgh1234567890", "my-very-own-secret", "efgh-ijkl", "proj-abc"):
        assert secret not in redacted


def test_words_about_models_and_limits_stay() -> None:
    text = "The model `gpt-99-turbo-preview` does not exist or you do not have access to it."
    assert redact(text, prompts=("Classify this ticket: my printer is on fire",)) == text


@given(
    prompt=st.text(min_size=1, max_size=200),
    start=st.integers(0, 100),
    length=st.integers(12, 100),
)
def test_a_quotation_of_the_prompt_is_cut_out(prompt: str, start: int, length: int) -> None:
    quotation = " ".join(prompt[start : start + length].split())
    redacted = redact(f"invalid input: <<{quotation}>> end", prompts=(prompt,))
    if len(quotation) >= 12:
        assert quotation not in redacted
    assert len(redacted) <= MAX_LENGTH


def test_redaction_of_a_large_prompt_is_quick() -> None:
    prompt = "lorem ipsum dolor " * 20_000
    started = time.process_time()
    redact("x" * 100_000, prompts=(prompt,))
    assert time.process_time() - started < 2
