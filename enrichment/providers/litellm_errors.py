"""Turns litellm's errors into ours, by status and code.

Its classes mislead: no credit left is a RateLimitError, an overloaded provider a plain APIError. They decide
only where there is no status of the provider's, and are told by name, so that nothing here imports litellm.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from enrichment import errors
from enrichment.providers.base import ModelRequest
from enrichment.providers.failures import Refusal, read_refusal, refused
from enrichment.providers.redaction import redact
from enrichment.providers.retry_after import retry_after

# None: the status and the code decide.
MEANING: Mapping[str, type[errors.ProviderError] | None] = {
    "APIConnectionError": None,
    "APIError": None,
    "APIResponseValidationError": errors.ProviderBadResponse,
    "AuthenticationError": None,
    "BadGatewayError": None,
    "BadRequestError": None,
    "BlockedPiiEntityError": errors.AnswerRefused,
    "BudgetExceededError": errors.QuotaExhausted,
    "ContentPolicyViolationError": errors.AnswerRefused,
    "ContextWindowExceededError": errors.PromptTooLong,
    "GuardrailRaisedException": errors.AnswerRefused,
    "ImageFetchError": errors.ProviderRejected,
    "InternalServerError": None,
    "InvalidRequestError": None,
    "JSONSchemaValidationError": errors.ProviderBadResponse,
    "LiteLLMUnknownProvider": errors.ProviderRejected,
    "MidStreamFallbackError": errors.ProviderUnavailable,
    "MockException": None,
    "ModelNotMappedError": errors.ProviderRejected,
    "ModifyResponseException": errors.AnswerRefused,
    "NotFoundError": None,
    "OpenAIError": None,
    "PaymentRequiredError": errors.QuotaExhausted,
    "PermissionDeniedError": None,
    "RateLimitError": None,
    "RejectedRequestError": errors.AnswerRefused,
    "SensitiveDataRouteException": errors.AnswerRefused,
    "ServiceUnavailableError": None,
    "Timeout": errors.ProviderTimeout,
    "UnprocessableEntityError": None,
    "UnsupportedParamsError": errors.ProviderRejected,
    "VectorStoreSearchError": errors.ProviderRejected,
}
# A success that it could not read is a 500 to litellm.
_NOT_AN_ANSWER = re.compile(r"invalid response from LLM endpoint|Received response - <APIResponse \[2\d\d")
_NEVER_SENT = (
    "ConnectError",
    "ConnectTimeout",
    "gaierror",
    "ConnectionRefusedError",
    "PoolTimeout",
    "ProxyError",
)
_TIMED_OUT = ("ReadTimeout", "WriteTimeout", "TimeoutException", "APITimeoutError", "TimeoutError")


def translate(
    error: Exception,
    *,
    vendor: str,
    request: ModelRequest,
    secrets: tuple[str, ...],
    now: datetime,
) -> errors.ProviderError:
    """Return our error for one that litellm raised. Its text is without keys and without the prompts."""
    refusal = _refusal(error)
    if _NOT_AN_ANSWER.search(refusal.message):
        return errors.ProviderBadResponse(f"{vendor} answered with something that is not a JSON object")
    by_class = _by_class(error)
    by_cause = _by_cause(error)
    wait = retry_after(_headers(error), now=now)
    if by_cause is not None or by_class is not None:
        words = redact(refusal.message, secrets=secrets, prompts=(request.user, request.system))
        kind = by_cause or by_class or errors.ProviderError
        return kind(f"{vendor}: {words}", status=refusal.status or None, retry_after=wait)
    return refused(vendor, refusal, retry_after=wait, secrets=secrets, request=request)


def _by_class(error: Exception) -> type[errors.ProviderError] | None:
    for base in type(error).__mro__:
        if base.__name__ in MEANING:
            return MEANING[base.__name__]
    # Nothing of litellm's: its own code failed, on this call. Ours to try again, and to see.
    return errors.ProviderError


def _by_cause(error: BaseException) -> type[errors.ProviderError] | None:
    """Say what the network did, from the chain of causes: litellm calls a refused connection a 500."""
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        names = {base.__name__ for base in type(cause).__mro__}
        if names.intersection(_TIMED_OUT) and "ConnectTimeout" not in names:
            return errors.ProviderTimeout
        if names.intersection(_NEVER_SENT):
            return errors.ProviderUnavailable
        cause = cause.__cause__ or cause.__context__
    return None


def _refusal(error: Exception) -> Refusal:
    status = getattr(error, "status_code", None)
    told = read_refusal(status if isinstance(status, int) else 0, getattr(error, "body", None))
    code = getattr(error, "code", None)
    kind = getattr(error, "type", None)
    return Refusal(
        status=told.status or 500,
        code=told.code or (code if isinstance(code, str) else ""),
        kind=told.kind or (kind if isinstance(kind, str) else ""),
        message=told.message or str(getattr(error, "message", "") or error),
    )


def _headers(error: Exception) -> Mapping[str, str]:
    headers: Any = getattr(error, "litellm_response_headers", None)
    if not headers:
        headers = getattr(getattr(error, "response", None), "headers", None)
    return {str(key).lower(): str(value) for key, value in dict(headers or {}).items()}
