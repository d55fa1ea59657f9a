"""Makes an error of what a provider said instead of an answer."""

from __future__ import annotations

from enrichment.errors import ProviderError
from enrichment.providers.base import ModelRequest
from enrichment.providers.failures import Refusal, classify, describe
from enrichment.providers.redaction import redact


def refused(
    provider: str,
    refusal: Refusal,
    *,
    retry_after: float | None,
    secrets: tuple[str, ...],
    request: ModelRequest,
) -> ProviderError:
    """Return the error that `refusal` is, without keys and prompts in it. `retry_after` is in seconds."""
    words = describe(provider, refusal, refusal.message)
    words = redact(words, secrets=secrets, prompts=(request.user, request.system))
    return classify(refusal)(words, status=refusal.status, retry_after=retry_after)
