"""`ai.provider: sandbox`: the model of `mongoclaw dev`."""

from __future__ import annotations

from agents_app.spec import AISpec
from enrichment.errors import ProviderRejected
from enrichment.providers.answering import answers
from enrichment.providers.base import Provider, ProviderConfig
from enrichment.providers.openai_compatible import OpenAICompatible


@answers("sandbox")
def sandbox(_ai: AISpec, config: ProviderConfig) -> Provider:
    """Return it. Raises ProviderRejected where none runs."""
    if config.sandbox_url is None:
        raise ProviderRejected(
            "ai.provider is 'sandbox', and no sandbox model runs here; `mongoclaw dev` starts one"
        )
    return OpenAICompatible(
        config.sandbox_url,
        name="sandbox",
        pool_size=config.pool_size,
        request_timeout=config.request_timeout,
    )
