"""Which page is written from what."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from docs.generate import agents, commands, metrics, reasons
from mongoclaw_project.config import reference as settings

PAGES: Final[Mapping[str, Callable[[], str]]] = {
    "agents.md": agents.reference,
    "commands.md": commands.reference,
    "metrics.md": metrics.reference,
    "reasons.md": reasons.reference,
    "settings.md": settings.reference,
}
