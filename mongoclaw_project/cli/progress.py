"""A bar that shows how far something is, with its rate and the time that is left."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

WIDTH: Final = 28
SMOOTHING: Final = 0.3
"""How much the latest look weighs in the rate."""


@dataclass(slots=True)
class Rate:
    """How fast a number grows, smoothed, a second."""

    per_second: float | None = None
    _last: tuple[float, int] | None = None

    def look(self, count: int, *, monotonic: float) -> None:
        """Take note of the number at a time in seconds."""
        if self._last is not None and monotonic > self._last[0]:
            latest = max(0, count - self._last[1]) / (monotonic - self._last[0])
            old = self.per_second
            self.per_second = latest if old is None else old + SMOOTHING * (latest - old)
        self._last = (monotonic, count)


def bar(share: float | None) -> str:
    """Draw a bar of a share from 0 to 1; one that is not known is empty."""
    full = round((share or 0.0) * WIDTH)
    return f"[{'█' * full}{'·' * (WIDTH - full)}]" + ("    ?" if share is None else f" {share:4.0%}")


def rate_text(per_second: float | None) -> str:
    """Write a rate."""
    return "-/s" if per_second is None else f"{per_second:,.0f}/s"


def left_text(total: int | None, done: int, per_second: float | None) -> str:
    """Write the time that is left, if it can be told."""
    if total is None or not per_second or done > total:
        return "ETA -"
    minutes, seconds = divmod(round((total - done) / per_second), 60)
    hours, minutes = divmod(minutes, 60)
    return f"ETA {hours}:{minutes:02d}:{seconds:02d}"
