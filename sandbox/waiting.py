"""Waiting for a condition, with a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable

Clock = Callable[[], float]


def wait_until(
    condition: Callable[[], bool],
    *,
    seconds: float,
    poll: float = 0.02,
    clock: Clock = time.monotonic,
    pause: Callable[[float], None] = time.sleep,
) -> bool:
    """Asks `condition` every `poll` seconds until it is true or `seconds` are over; says which it was.

    The condition is asked at least once, and once more after the last pause.
    """
    deadline = clock() + seconds
    while True:
        if condition():
            return True
        left = deadline - clock()
        if left <= 0:
            return False
        pause(min(poll, left))
