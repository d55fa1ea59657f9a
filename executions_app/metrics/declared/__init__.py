"""Every metric of MongoClaw. A new one is a line in the module of its source, and something that feeds it."""

from __future__ import annotations

from types import ModuleType
from typing import Final

from executions_app.metrics.declared import fleet, limits, models, streams, web, work
from executions_app.metrics.metric import Kind, Metric, Source

INFO: Final = Metric("info", Kind.INFO, Source.ANY, "What runs here.", ("name", "version"), contract=True)

MODULES: Final[tuple[ModuleType, ...]] = (fleet, models, limits, work, streams, web)


def named() -> dict[str, Metric]:
    """Return all metrics by the names of their declarations, in the order of these."""
    found = {"INFO": INFO}
    for module in MODULES:
        for name, value in vars(module).items():
            if isinstance(value, Metric):
                found[f"{module.__name__.rpartition('.')[2]}.{name}"] = value
    return found
