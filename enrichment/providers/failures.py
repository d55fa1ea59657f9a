"""Tells what a provider's refusal means, by its HTTP status and its error code.

One status has many meanings (429: slow down, or no credit left), and providers disagree on classes and types,
so the code and the words of the error decide where the status does not.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from enrichment import errors
from enrichment.providers.base import ModelRequest
from enrichment.providers.redaction import redact

_QUOTA = re.compile(
    r"insufficient_quota|insufficient[_ ](quota|funds|balance|credits?)|billing|credit balance|out of credits"
    r"|payment[ _]required|exceeded your current quota|quota_exhausted|spending limit",
    re.IGNORECASE,
)
# Gemini says "exceeded your current quota" for its limits per minute too, and then adds when to come back.
_SOON = re.compile(r"retry in \d", re.IGNORECASE)
_TOO_LONG = re.compile(
    r"context_length_exceeded|context[_ ]window|maximum context length|prompt is too long"
    r"|string_above_max_length|input (token count|length|is too long)|too many (input )?tokens"
    r"|request_too_large",
    re.IGNORECASE,
)
_POLICY = re.compile(
    r"content_policy|content_filter|content management policy|responsible_?ai|moderation_blocked"
    r"|safety system|usage polic(y|ies)",
    re.IGNORECASE,
)
_KEY = re.compile(
    r"invalid_api_key|api[_ ]key (is )?(not valid|invalid)|api_key_invalid|incorrect api key", re.IGNORECASE
)
_OVERLOADED = re.compile(
    r"overloaded|over capacity|model is (currently )?loading|no healthy upstream", re.IGNORECASE
)

_UNAVAILABLE = frozenset({502, 503, 504, 520, 521, 522, 523, 524, 525, 526, 527, 529, 530})
_BY_STATUS: Mapping[int, type[errors.ProviderError]] = {
    401: errors.ProviderAuthFailed,
    402: errors.QuotaExhausted,
    403: errors.ProviderAuthFailed,
    407: errors.ProviderUnavailable,
    408: errors.ProviderTimeout,
    409: errors.ProviderError5xx,
    413: errors.PromptTooLong,
    425: errors.RateLimited,
    429: errors.RateLimited,
    498: errors.RateLimited,
    499: errors.ProviderError5xx,
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a provider said instead of an answer: status, code and type of its error, and its words."""

    status: int
    code: str = ""
    kind: str = ""
    message: str = ""


def read_refusal(status: int, body: object) -> Refusal:
    """Find code, type and words in the error bodies of the common providers; what is not there is empty."""
    error = body.get("error", body) if isinstance(body, Mapping) else body
    if isinstance(error, str):
        return Refusal(status, message=error)
    if not isinstance(error, Mapping):
        return Refusal(status)
    kind = _text(error, "type") or _text(error, "status")
    return Refusal(status, _text(error, "code"), kind, _text(error, "message") or _text(error, "detail"))


def _text(error: Mapping[str, Any], key: str) -> str:
    value = error.get(key)
    return str(value) if isinstance(value, (str, int)) and not isinstance(value, bool) else ""


def classify(refusal: Refusal) -> type[errors.ProviderError]:
    """Return the class of error that `refusal` is."""
    words = f"{refusal.code} {refusal.kind} {refusal.message}"
    status = refusal.status
    if status in (400, 402, 403, 429) and _QUOTA.search(words) and not _SOON.search(words):
        return errors.QuotaExhausted
    if status in (400, 403, 413, 422):
        for pattern, error in (
            (_KEY, errors.ProviderAuthFailed),
            (_TOO_LONG, errors.PromptTooLong),
            (_POLICY, errors.AnswerRefused),
        ):
            if pattern.search(words):
                return error
    if status in _UNAVAILABLE or (status >= HTTPStatus.INTERNAL_SERVER_ERROR and _OVERLOADED.search(words)):
        return errors.ProviderUnavailable
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return errors.ProviderError5xx
    return _BY_STATUS.get(status, errors.ProviderRejected)


def _describe(provider: str, refusal: Refusal, words: str) -> str:
    """Return one line that says who refused, with which status and code, and `words`."""
    if HTTPStatus.MULTIPLE_CHOICES <= refusal.status < HTTPStatus.BAD_REQUEST:
        words = "it sent a redirect, which is not followed; use the address that it points to"
    code = next((part for part in (refusal.code, refusal.kind) if part and part != str(refusal.status)), "")
    head = f"{provider} returned HTTP {refusal.status}" + (f" {code[:64]}" if code else "")
    return f"{head}: {words}" if words else head


def refused(
    provider: str,
    refusal: Refusal,
    *,
    retry_after: float | None,
    secrets: tuple[str, ...],
    request: ModelRequest,
) -> errors.ProviderError:
    """Return the error that `refusal` is, without keys and prompts in it. `retry_after` is in seconds."""
    words = _describe(provider, refusal, refusal.message)
    words = redact(words, secrets=secrets, prompts=(request.user, request.system))
    return classify(refusal)(words, status=refusal.status, retry_after=retry_after)
