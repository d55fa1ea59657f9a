"""`ai.provider: external`: an agent of the user's own behind HTTP."""

from __future__ import annotations

from agents_app.spec import AISpec
from enrichment.providers.answering import answers
from enrichment.providers.base import Provider, ProviderConfig
from enrichment.providers.external import NAME, External, read_target


@answers(NAME)
def external(ai: AISpec, config: ProviderConfig) -> Provider:
    """Return it. Raises ProviderRejected, or ProviderAuthFailed if the key is missing."""
    target = read_target(
        ai.extra_params, api_key_ref=ai.api_key_ref, env=config.env, secrets_dir=config.secrets_dir
    )
    return External(
        target, pool_size=config.pool_size, request_timeout=config.request_timeout, egress=config.egress
    )
