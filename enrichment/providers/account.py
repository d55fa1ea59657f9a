"""Whose limits an agent's calls count against."""

from __future__ import annotations

from urllib.parse import urlsplit

from agents_app.spec import AISpec
from enrichment.providers import keys, params
from enrichment.providers.registry import OWN

_ADDRESSES = ("external_url", "external_agent_url", params.ADDRESS)


def account_of(ai: AISpec) -> str:
    """Name the provider, or the host of an author's own server. The same in every process, whatever keys it has."""
    for name in _ADDRESSES:
        address = ai.extra_params.get(name)
        if ai.provider in ("external", "custom") and isinstance(address, str):
            return _host(address) or ai.provider
    if ai.provider in OWN:
        return ai.provider
    return keys.vendor_of(ai.provider, ai.model)


def _host(address: str) -> str:
    """Return host and port; empty where the text is no address, which the call itself will say."""
    try:
        return urlsplit(address).netloc.rpartition("@")[2]
    except ValueError:
        return ""
