"""What a panel of the console is, and what is asked of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from executions_app.console.viewer import Viewer


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Who asks for a panel, when, and with which choices."""

    viewer: Viewer
    now: datetime
    choices: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """A panel: the permission that it needs, how it is looked at, and how often, in seconds.

    `look` returns a frozen value for the template of the panel's name. It may raise MongoClawError and Django's
    database errors: the panel then shows the reason, and the others are none the worse.
    """

    name: str
    title: str
    needs: str
    look: Callable[[Asked], object]
    seconds: int = 4
    wide: bool = False
