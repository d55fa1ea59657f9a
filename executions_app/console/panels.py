"""All panels, in the order of the page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from executions_app.console import (
    agents,
    charts,
    failures,
    holds,
    letters,
    processes,
    runs,
    spending,
    summary,
)
from executions_app.console.panel import Panel

PANELS: Final[Mapping[str, Panel]] = {
    panel.name: panel
    for panel in (
        summary.PANEL,
        charts.PANEL,
        agents.PANEL,
        letters.PANEL,
        runs.PANEL,
        processes.PANEL,
        holds.PANEL,
        failures.PANEL,
        spending.PANEL,
    )
}
