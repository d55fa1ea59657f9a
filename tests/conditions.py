"""Waiting on conditions with deadlines, instead of sleeping and hoping."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

Value = TypeVar("Value")


def eventually(probe: Callable[[], Value | None], *, seconds: float = 20.0, every: float = 0.05) -> Value:
    """Return the probe's first true value; fail with the last false one when the deadline passes."""
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while True:
        value = probe()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s; the last value was {value!r}")
        pause.wait(every)
