"""Which provider answers for an agent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from agents_app.spec import AISpec
from enrichment.errors import ProviderRejected
from enrichment.providers import keys, params
from enrichment.providers.answering import Factory
from enrichment.providers.base import Provider, ProviderConfig
from enrichment.providers.direct import DIRECT, is_direct, plain_name
from enrichment.providers.litellm_adapter import LiteLLM
from enrichment.providers.openai_compatible import OpenAICompatible
from enrichment.providers.own import factories
from enrichment.providers.prices import cost_of

OWN: Final = factories()
"""The providers that agents call by their own names."""


def _custom(ai: AISpec, config: ProviderConfig) -> Provider:
    url = ai.extra_params.get(params.ADDRESS)
    if not isinstance(url, str):
        raise ProviderRejected("ai.extra_params.base_url must be an http or https address")
    key = (
        None
        if ai.api_key_ref is None
        else keys.referenced_key(ai.api_key_ref, config.env, directory=config.secrets_dir)
    )
    return OpenAICompatible(
        url,
        api_key=key,
        pool_size=config.pool_size,
        request_timeout=config.request_timeout,
        egress=config.egress,
    )


def _direct(ai: AISpec, config: ProviderConfig) -> Provider:
    vendor = keys.vendor_of(ai.provider, ai.model)
    return OpenAICompatible(
        DIRECT[vendor].address(config.env),
        name=vendor,
        model=plain_name(ai),
        priced_as=keys.model_name(ai.provider, ai.model),
        api_key=_key(ai, vendor, config),
        pool_size=config.pool_size,
        request_timeout=config.request_timeout,
    )


def _key(ai: AISpec, vendor: str, config: ProviderConfig) -> str | None:
    if ai.api_key_ref is not None:
        return keys.referenced_key(ai.api_key_ref, config.env, vendor=vendor, directory=config.secrets_dir)
    return keys.vendor_key(vendor, config.env)


def _litellm(ai: AISpec, config: ProviderConfig) -> Provider:
    vendor = keys.vendor_of(ai.provider, ai.model)
    return LiteLLM(
        vendor=vendor,
        model=keys.model_name(ai.provider, ai.model),
        api_key=_key(ai, vendor, config),
        env=config.env,
        pool_size=config.pool_size,
        request_timeout=config.request_timeout,
    )


FACTORIES: Final[Mapping[str, Factory]] = {
    **OWN,
    "custom": _custom,
    "direct": _direct,
    "litellm": _litellm,
}


def known_providers() -> frozenset[str]:
    """Return the values of `ai.provider` that we know; others are litellm's business."""
    return frozenset({*OWN, "custom", *keys.VENDORS, *keys.KEYLESS})


def route(ai: AISpec, config: ProviderConfig) -> str:
    """Return the key in `FACTORIES` of the provider that answers for `ai`.

    Where a sandbox model runs, an agent whose provider has no key goes there.
    """
    if ai.provider in OWN:
        return ai.provider
    if ai.provider == "custom" and params.ADDRESS in ai.extra_params:
        return "custom"
    needs_sandbox = ai.api_key_ref is None and not keys.has_key(
        keys.vendor_of(ai.provider, ai.model), config.env
    )
    if needs_sandbox and config.sandbox_url is not None:
        return "sandbox"
    return "direct" if config.direct and is_direct(ai, config.env) else "litellm"


def provider_for(ai: AISpec, config: ProviderConfig) -> Provider:
    """Return the provider that answers for `ai`. Cheap: connections are shared by the whole process.

    Raises ProviderRejected or ProviderAuthFailed if the agent or the environment does not say enough to call
    it.
    """
    return FACTORIES[route(ai, config)](ai, config)


def expected_cost(
    ai: AISpec, config: ProviderConfig, prompt_tokens: int, completion_tokens: int
) -> int | None:
    """Return what a call of so many tokens would cost in nano-USD, or None where no price is known."""
    return 0 if route(ai, config) == "sandbox" else listed_cost(ai, prompt_tokens, completion_tokens)


def listed_cost(ai: AISpec, prompt_tokens: int, completion_tokens: int) -> int | None:
    """Return the list price of such a call in nano-USD wherever this process would send it, or None."""
    if ai.provider in OWN:
        return None
    if ai.provider == "custom" and params.ADDRESS in ai.extra_params:
        return cost_of(ai.model, prompt_tokens, completion_tokens)
    vendor = keys.vendor_of(ai.provider, ai.model)
    return cost_of(keys.model_name(ai.provider, ai.model), prompt_tokens, completion_tokens, vendor=vendor)
