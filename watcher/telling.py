"""Telling another system, a little at a time, as a part of upkeep."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from executions_app.fence import Term
from executions_app.notifications import outbox, sending

LOOK_SECONDS: Final = 15.0
"""Between two looks for dead letters …"""

TOGETHER_SECONDS: Final = 60.0
"""… and after some were found: those that follow within a minute are told together."""


@dataclass(slots=True, kw_only=True)
class Courier:
    """Finds what is to be told, and sends it. Forgets nothing at a loss: all is in the ledger."""

    url: str
    secret: str
    monotonic: Callable[[], float]
    _look_at: float = field(default=float("-inf"))

    def step(self, *, now: datetime, term: Term) -> None:
        """Look for dead letters now and then, and send one notification.

        Raises Django's database errors, and Fenced when the term is over.
        """
        if self.monotonic() >= self._look_at:
            found = outbox.find_dead_letters(now=now, term=term)
            self._look_at = self.monotonic() + (TOGETHER_SECONDS if found else LOOK_SECONDS)
            sending.forget(now=now)
        if self.url:
            sending.send_next(self.url, self.secret, now=now)
