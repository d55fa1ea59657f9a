"""Providers that speak a protocol of their own: each is a module here with a factory, and found by being here.

`ai.provider` is the name that the factory is given under: `@answers("name")`.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping

from enrichment.providers.answering import Factory, registered


def factories() -> Mapping[str, Factory]:
    """Return the factories of all modules here, by their names."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
    return registered()
