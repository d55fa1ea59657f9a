"""Turns of the threads of a process at something that one of them can have at a time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Turns:
    """A lock that a thread may take again while it holds it, and that patient threads leave to all others first.

    A patient thread waits until nobody else does: one that has just given its turn back must not take the next
    one before somebody who has waited for it.
    """

    def __init__(self) -> None:
        lock = threading.Lock()
        self._changed = threading.Condition(lock)
        self._left_over = threading.Condition(lock)
        self._owner: int | None = None
        self._depth = 0
        self._hurried = 0
        self._patience = threading.local()

    @contextmanager
    def patiently(self) -> Iterator[None]:
        """Let all others go first in whatever this thread takes turns for meanwhile."""
        self._patience.on = True
        try:
            yield
        finally:
            self._patience.on = False

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for a turn and hold it."""
        self._take()
        try:
            yield
        finally:
            self._give_back()

    def _take(self) -> None:
        me = threading.get_ident()
        with self._changed:
            if self._owner != me:
                self._wait(patient=getattr(self._patience, "on", False))
            self._owner = me
            self._depth += 1

    def _wait(self, *, patient: bool) -> None:
        if patient:
            self._left_over.wait_for(lambda: self._owner is None and not self._hurried)
            return
        self._hurried += 1
        try:
            self._changed.wait_for(lambda: self._owner is None)
        finally:
            self._hurried -= 1

    def _give_back(self) -> None:
        with self._changed:
            self._depth -= 1
            if not self._depth:
                self._owner = None
                # One at a time: a hundred that wake up to see that it is not their turn cost more than the turn.
                (self._changed if self._hurried else self._left_over).notify()
