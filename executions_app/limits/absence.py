"""A server that does not answer, left alone for a while."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

SHORTEST_SECONDS: Final = 2.0
LONGEST_SECONDS: Final = 30.0


@dataclass(slots=True)
class Absence:
    """Whether to ask at all: nobody is to wait again and again for a server that says nothing.

    One that refuses does so at once and is asked every two seconds. One that is silent costs whoever asks the whole
    patience, so it is left alone twice as long each time.
    """

    monotonic: Callable[[], float]
    _until: float = float("-inf")
    _pause: float = 0.0

    @property
    def is_on(self) -> bool:
        """Whether the server is to be left alone now."""
        return self.monotonic() < self._until

    def note(self, *, silent: bool) -> float | None:
        """Take note that it did not answer; returns for how many seconds it is left alone, if that is news.

        Of many who have asked at a time, only the first makes the pause longer.
        """
        news = not self.is_on
        if news:
            self._pause = (
                min(LONGEST_SECONDS, 2 * self._pause) if silent and self._pause else SHORTEST_SECONDS
            )
        self._until = max(self._until, self.monotonic() + self._pause)
        return self._pause if news else None

    def end(self) -> None:
        """Take note that it answers."""
        self._until, self._pause = float("-inf"), 0.0
