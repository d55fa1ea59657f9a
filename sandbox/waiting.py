"""Waiting for a condition, with a deadline."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
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


def answers(url: str) -> bool:
    """Whether an HTTP server says anything there but that it is broken."""
    try:
        with urllib.request.urlopen(url, timeout=2) as reply:  # noqa: S310  # a loopback address
            return bool(reply.status < 500)  # noqa: PLR2004
    except urllib.error.HTTPError as exc:
        return exc.code < 500  # noqa: PLR2004
    except OSError:
        return False
