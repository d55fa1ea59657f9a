"""Keeping a rate: a token bucket on a clock that is passed in."""

from __future__ import annotations

import math
from dataclasses import dataclass

BURST_SECONDS = 1.0


@dataclass(slots=True)
class Pace:
    """At most `rate` documents a second, in portions; None for as fast as it goes."""

    rate: float | None
    _tokens: float = 0.0
    _at: float | None = None

    def portion(self, most: int) -> int:
        """Return how many documents to take at once: about a second's worth, 1 at least."""
        if self.rate is None:
            return most
        return max(1, min(most, math.floor(self.rate * BURST_SECONDS)))

    def wait(self, monotonic: float) -> float:
        """Return the seconds until the next portion may be taken; 0 for now."""
        if self.rate is None:
            return 0.0
        self._fill(monotonic)
        # A debt is left by each portion, so a portion may begin as soon as none is left.
        return max(0.0, -self._tokens / self.rate)

    def spend(self, count: int, monotonic: float) -> None:
        """Note that so many documents were taken."""
        if self.rate is not None:
            self._fill(monotonic)
            self._tokens -= count

    def _fill(self, monotonic: float) -> None:
        if self.rate is None:
            return
        elapsed = 0.0 if self._at is None else max(0.0, monotonic - self._at)
        # Time in which nothing was taken is not saved up.
        self._tokens = min(0.0, self._tokens + elapsed * self.rate)
        self._at = monotonic
