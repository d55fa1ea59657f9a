"""What is to happen later in a storm: processes that wake up, networks that heal, locks that are let go."""

from __future__ import annotations

import heapq
import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

_STEP: Final = 0.05


@dataclass(slots=True)
class Agenda:
    """Keeps actions and does each when its time has come; all on the thread that asks."""

    _entries: list[tuple[float, int, Callable[[], object]]] = field(default_factory=list)
    _numbers: itertools.count[int] = field(default_factory=itertools.count)

    def after(self, seconds: float, action: Callable[[], object]) -> None:
        """Do something in so many seconds, at a pause."""
        heapq.heappush(self._entries, (time.monotonic() + seconds, next(self._numbers), action))

    def pause(self, seconds: float) -> None:
        """Let time pass, and do what is due meanwhile."""
        until = time.monotonic() + seconds
        while True:
            while self._entries and self._entries[0][0] <= time.monotonic():
                heapq.heappop(self._entries)[2]()
            left = until - time.monotonic()
            if left <= 0:
                return
            time.sleep(min(left, _STEP))

    def finish(self) -> None:
        """Do all that is left at once, in its order."""
        while self._entries:
            heapq.heappop(self._entries)[2]()
