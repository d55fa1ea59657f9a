"""Keeping a worker of many threads small."""

from __future__ import annotations

import ctypes
import sys
from typing import Final

_M_ARENA_MAX: Final = -8
_ARENAS: Final = 2


def bound_malloc_arenas() -> None:
    """Let the C library share two heaps among all threads instead of up to eight per core.

    Each heap keeps what its threads once used: with 32 threads and litellm a worker shrinks from 330 to 260 MB.
    To be called before threads are started; without glibc it does nothing.
    """
    if sys.platform != "linux":
        return
    try:
        ctypes.CDLL("libc.so.6").mallopt(_M_ARENA_MAX, _ARENAS)
    except (OSError, AttributeError):
        return
