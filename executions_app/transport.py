"""How long a client of the broker waits: workers for messages, everybody else for an answer only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def impatient(options: Mapping[str, Any], *, seconds: float) -> dict[str, Any]:
    """Return transport options with which nothing is waited for longer than so many seconds, or tried twice.

    The visibility timeout is no waiting: it says when Redis's messages are given to somebody else.
    """
    waits = {name for name in options if name.endswith("_timeout")} - {"visibility_timeout"}
    return {**options, **dict.fromkeys(waits, seconds), "max_retries": 0}
