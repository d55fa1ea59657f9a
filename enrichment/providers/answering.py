"""What a factory of a provider is, and the name that it is given under."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from agents_app.spec import AISpec
from enrichment.providers.base import Provider, ProviderConfig

Factory = Callable[[AISpec, ProviderConfig], Provider]

_FACTORIES: Final[dict[str, Factory]] = {}


def answers(name: str) -> Callable[[Factory], Factory]:
    """Let agents with this `ai.provider` be answered by what the factory makes."""

    def register(factory: Factory) -> Factory:
        _FACTORIES[name] = factory
        return factory

    return register


def registered() -> Mapping[str, Factory]:
    """Return the factories that have a name so far."""
    return _FACTORIES
