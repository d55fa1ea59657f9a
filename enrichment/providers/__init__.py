"""Model providers. A new one is a module in `enrichment/providers/own`, which is found there."""

from __future__ import annotations

from enrichment.providers.account import account_of
from enrichment.providers.base import ModelReply, ModelRequest, Provider, ProviderConfig
from enrichment.providers.registry import FACTORIES, expected_cost, listed_cost, provider_for, route

__all__ = [
    "FACTORIES",
    "ModelReply",
    "ModelRequest",
    "Provider",
    "ProviderConfig",
    "account_of",
    "expected_cost",
    "listed_cost",
    "provider_for",
    "route",
]
