"""Whether somebody looks, or a program reads."""

from __future__ import annotations

import os
from typing import IO


def is_terminal(stream: IO[str]) -> bool:
    """Whether a stream is a terminal on which something can be drawn."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"
