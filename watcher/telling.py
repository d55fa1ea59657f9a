"""Telling another system, a little at a time, as a part of upkeep."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import structlog
from django.db import Error as DatabaseError
from django.db import connection

from executions_app.fence import Term
from executions_app.limits import Limiter, LimiterUnavailable
from executions_app.notifications import outbox, quarantines, sending
from executions_app.notifications.goals import GoalKeeper

log = structlog.get_logger(__name__)

LOOK_SECONDS: Final = 15.0
"""Between two looks for what is to be told …"""

TOGETHER_SECONDS: Final = 60.0
"""… and after dead letters were found: those that follow within a minute are told together."""


@dataclass(slots=True, kw_only=True)
class Courier:
    """Finds what is to be told, and has it sent. Forgets nothing at a loss but how runs ended lately."""

    post: Post
    limiter: Limiter
    goals: GoalKeeper
    monotonic: Callable[[], float]
    _look_at: float = field(default=float("-inf"))
    _dead_letters_at: float = field(default=float("-inf"))

    def step(self, *, now: datetime, term: Term) -> None:
        """Look for what is to be told now and then, and let the post go on.

        Raises Django's database errors, and Fenced when the term is over.
        """
        started = self.monotonic()
        if started >= self._dead_letters_at:
            found = outbox.find_dead_letters(now=now, term=term)
            self._dead_letters_at = started + (TOGETHER_SECONDS if found else LOOK_SECONDS)
            sending.forget(now=now)
        if started >= self._look_at:
            self._look_at = started + LOOK_SECONDS
            self._look(now, term)
        self.post.go_on(now=now)

    def stop(self) -> None:
        """Forget what another leader sees for itself."""
        self.goals.forget()

    def _look(self, now: datetime, term: Term) -> None:
        self.goals.look(now=now, term=term)
        try:
            quarantines.look(self.limiter, now=now, monotonic=self.monotonic(), term=term)
        except LimiterUnavailable:
            log.warning("notification.limiter_unavailable")


class Post:
    """Sends what is due in a thread of its own, one after another: a receiver that hangs holds up nobody else.

    Nobody waits for the thread. What it was sending when the process ends is sent again.
    """

    def __init__(self, url: str, secret: str, *, now: Callable[[], datetime]) -> None:
        self._url = url
        self._secret = secret
        self._now = now
        self._thread: threading.Thread | None = None

    @property
    def is_busy(self) -> bool:
        """Whether something is being sent."""
        return self._thread is not None and self._thread.is_alive()

    def go_on(self, *, now: datetime) -> None:
        """Begin to send if something is due and nothing is being sent. Raises Django's database errors."""
        if self._url and not self.is_busy and sending.is_due(now=now):
            self._thread = threading.Thread(target=self._send, name="post", daemon=True)
            self._thread.start()

    def _send(self) -> None:
        try:
            while sending.send_next(self._url, self._secret, now=self._now()):
                pass
        except DatabaseError as error:
            log.warning("notification.waits", error=type(error).__name__)
        finally:
            connection.close()
