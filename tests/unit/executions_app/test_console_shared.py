"""What is read once for all who look at the console."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest

from executions_app.console.shared import Shared

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LASTS = timedelta(seconds=2)


def test_a_value_is_read_once_for_each_key_until_it_is_old() -> None:
    shared, reads = Shared[str, int](lasts=LASTS), count()
    asked = [("a", 0), ("a", 0.9), ("b", 0.9), ("a", 1), ("b", 1), ("a", 0.5)]
    seen = [shared.look(key, NOW + after * LASTS, lambda: next(reads)) for key, after in asked]
    assert seen == [0, 0, 1, 2, 1, 3], "a clock that was set back makes a value old too"


def test_what_cannot_be_read_is_asked_for_again() -> None:
    shared = Shared[str, str](lasts=LASTS)

    def fail() -> str:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        shared.look("a", NOW, fail)
    assert shared.look("a", NOW, lambda: "there") == "there"


def test_those_who_come_while_it_is_read_wait_for_what_is_seen() -> None:
    shared = Shared[str, int](lasts=LASTS)
    begun, go_on, reads, seen = threading.Event(), threading.Event(), [0], list[int]()

    def read() -> int:
        begun.set()
        go_on.wait(10)
        reads[0] += 1
        return reads[0]

    many = [threading.Thread(target=lambda: seen.append(shared.look("a", NOW, read))) for _ in range(8)]
    for thread in many:
        thread.start()
    begun.wait(10)
    go_on.set()
    for thread in many:
        thread.join(10)
    assert seen == [1] * 8
