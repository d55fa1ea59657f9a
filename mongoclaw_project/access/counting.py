"""Counting in Redis what somebody does in a window of time, the same for all processes of the fleet."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from typing import Final

import structlog
from redis import Redis
from redis.exceptions import RedisError

log = structlog.get_logger(__name__)

PREFIX: Final = "mongoclaw:access:"
PATIENCE_SECONDS: Final = 0.5
AWAY_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class Count:
    """How many there were in the window, and how many seconds are left of it."""

    number: int
    seconds_left: float


class Counter:
    """Safe to share between threads.

    While Redis is away nothing is counted and nobody is held up: an API that refuses everybody because a counter
    is lost would be worse than one that is asked too often.
    """

    def __init__(self, redis: Redis, *, monotonic: Callable[[], float]) -> None:
        self._redis = redis
        self._monotonic = monotonic
        self._away_until = float("-inf")
        self._script = redis.register_script(files(__package__).joinpath("counting.lua").read_text())

    def add(self, name: str, *, window_seconds: float) -> Count | None:
        """Count one more; None if Redis is away."""
        return self._ask(name, 1, window_seconds)

    def look(self, name: str) -> Count | None:
        """Tell how many there are; None if Redis is away."""
        return self._ask(name, 0, 0)

    def forget(self, name: str) -> None:
        """Begin anew."""
        if self._monotonic() >= self._away_until:
            try:
                self._redis.delete(PREFIX + name)
            except RedisError as error:
                self._gone(error)

    def _ask(self, name: str, more: int, window_seconds: float) -> Count | None:
        if self._monotonic() < self._away_until:
            return None
        try:
            number, left = self._script(keys=[PREFIX + name], args=[more, round(window_seconds * 1000)])
        except RedisError as error:
            self._gone(error)
            return None
        return Count(int(number), max(0, int(left)) / 1000)

    def _gone(self, error: RedisError) -> None:
        self._away_until = self._monotonic() + AWAY_SECONDS
        log.warning("access.uncounted", error=type(error).__name__, seconds=AWAY_SECONDS)


@functools.lru_cache(maxsize=4)
def counter(url: str) -> Counter:
    """Give this process's counter in a Redis."""
    redis = Redis.from_url(
        url,
        decode_responses=True,
        socket_timeout=PATIENCE_SECONDS,
        socket_connect_timeout=PATIENCE_SECONDS,
        health_check_interval=30,
    )
    return Counter(redis, monotonic=time.monotonic)
