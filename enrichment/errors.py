"""What can go wrong between a worker and the model provider, and between a worker and MongoDB.

The decision was made where the failure was understood: `providers.failures` for providers, `mongo_errors` for
MongoDB. Messages never hold an API key or any part of a document, because they are stored and shown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from agents_app.errors import Decision, MongoClawError

if TYPE_CHECKING:
    from enrichment.providers.base import ModelReply


class ProviderError(MongoClawError):
    """The model provider failed.

    `status` is the HTTP status, if there was one. `retry_after` is in seconds, if the provider named a delay.
    `reply` is what came back, where the call has to be paid for although it gave no usable answer. `is_free` says of a
    class that the request was turned away before a model had worked on it, so that no provider charges for it.
    """

    decision = Decision.RETRY
    code = "provider_error"
    is_free: ClassVar[bool] = False

    def __init__(
        self,
        message: str | None = None,
        *,
        status: int | None = None,
        retry_after: float | None = None,
        reply: ModelReply | None = None,
        **details: object,
    ) -> None:
        super().__init__(message, status=status, retry_after=retry_after, **details)
        self.status = status
        self.retry_after = retry_after
        self.reply = reply


class RateLimited(ProviderError):
    """The provider asks to slow down."""

    decision = Decision.DEFER
    code = "rate_limited"
    is_free = True


class QuotaExhausted(ProviderError):
    """The provider account has no credit or quota left."""

    decision = Decision.DEFER
    code = "quota_exhausted"
    is_free = True


class ProviderUnavailable(ProviderError):
    """The provider cannot be reached, or says that it is overloaded; nothing was answered."""

    decision = Decision.DEFER
    code = "provider_unavailable"


class ProviderError5xx(ProviderError):
    """The provider failed while it worked on the request."""

    decision = Decision.RETRY
    code = "provider_error_5xx"


class ProviderBadResponse(ProviderError5xx):
    """The provider sent something that is not an answer: HTML, cut JSON, or far too much."""

    code = "provider_bad_response"


class ProviderTimeout(ProviderError):
    """The provider took longer than the time left for the call; it may have been paid for."""

    decision = Decision.RETRY
    code = "provider_timeout"


class CallCutShort(ProviderTimeout):
    """The model did not answer within what was left of execution.timeout_seconds; calls may take longer."""

    code = "call_cut_short"


class ProviderAuthFailed(ProviderError):
    """The provider does not accept the API key, or there is none."""

    decision = Decision.PERMANENT
    code = "provider_auth_failed"
    is_free = True


class ProviderRejected(ProviderError):
    """The provider refuses requests of this shape: an unknown model, or a wrong parameter."""

    decision = Decision.PERMANENT
    code = "provider_rejected"
    is_free = True


class EgressRefused(ProviderRejected):
    """The agent's address is not on the open internet, and MONGOCLAW_SECURITY__EGRESS_ALLOW does not name it."""

    code = "egress_refused"


class ProviderNotInstalled(ProviderError):
    """The library that speaks to this provider is not installed."""

    decision = Decision.PERMANENT
    code = "provider_not_installed"
    is_free = True


class PromptTooLong(ProviderError):
    """The rendered prompt does not fit into the model's context window."""

    decision = Decision.DEAD
    code = "prompt_too_long"
    is_free = True


class AnswerRefused(ProviderError):
    """The model, or the provider's content filter, refuses to answer."""

    decision = Decision.DEAD
    code = "answer_refused"


class AnswerTruncated(ProviderError):
    """The answer was cut at `max_tokens`; a repair asks again with more."""

    decision = Decision.DEAD
    code = "answer_truncated"


class AnswerMissing(ProviderError):
    """The provider reports success and gives no answer."""

    decision = Decision.RETRY
    code = "answer_missing"


class MongoError(MongoClawError):
    """MongoDB failed."""

    decision = Decision.RETRY
    code = "mongo_error"


class MongoUnavailable(MongoError):
    """MongoDB cannot be reached, or has no primary just now."""

    decision = Decision.DEFER
    code = "mongo_unavailable"


class MongoTimeout(MongoError):
    """MongoDB took longer than the time allowed."""

    # Not the document's doing: a killed worker's transaction may hold its lock for a minute, a server may be slow.
    decision = Decision.DEFER
    code = "mongo_timeout"


class MongoDenied(MongoError):
    """MongoDB does not let this user do that."""

    decision = Decision.PERMANENT
    code = "mongo_denied"


class MongoMisconfigured(MongoError):
    """The connection or the name of a database or collection is wrong."""

    decision = Decision.PERMANENT
    code = "mongo_misconfigured"


class WriteError(MongoClawError):
    """The answer could not be written."""

    code = "write_error"


class WriteRefused(WriteError):
    """The answer does not fit into this document."""

    decision = Decision.DEAD
    code = "write_refused"


class WriteContended(WriteError):
    """The document changed again and again while it was being written."""

    decision = Decision.RETRY
    code = "write_contended"
