"""What is the same for all who look, read once in a while for all of them."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from datetime import datetime, timedelta
from threading import Lock
from typing import Any, Final, Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Shared(Generic[Key, Value]):
    """The last values, shared by all threads of a process: who comes while one is read waits for it.

    A value is at most as old as `lasts` says. Those of keys that nobody asks for any more are dropped.
    """

    def __init__(self, *, lasts: timedelta) -> None:
        self._lasts = lasts
        self._lock = Lock()
        self._seen: dict[Key, tuple[datetime, Value]] = {}
        _ALL.append(self)

    def look(self, key: Key, now: datetime, read: Callable[[], Value]) -> Value:
        """Return the value of a key as it was a moment ago. Raises what `read` raises."""
        with self._lock:
            self._seen = {known: seen for known, seen in self._seen.items() if self._is_fresh(seen[0], now)}
            if key not in self._seen:
                self._seen[key] = (now, read())
            return self._seen[key][1]

    def forget(self) -> None:
        """Read anew next time."""
        with self._lock:
            self._seen = {}

    def _is_fresh(self, at: datetime, now: datetime) -> bool:
        return timedelta(0) <= now - at < self._lasts


_ALL: Final[list[Shared[Any, Any]]] = []


def forget_all() -> None:
    """Read everything anew next time. For tests, whose databases come and go."""
    for one in _ALL:
        one.forget()
