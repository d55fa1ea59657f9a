"""Examining Redis: the server and its memory policy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import redis

from mongoclaw_project.cli.doctor.finding import Finding, bad, doubtful, good
from mongoclaw_project.cli.info import place
from mongoclaw_project.config import current

OLDEST: Final = (6, 2)
PATIENCE_SECONDS: Final = 3.0
NEARLY_FULL: Final = 0.9


def client() -> redis.Redis:
    """A client with little patience."""
    return redis.Redis.from_url(
        current().redis.url,
        socket_timeout=PATIENCE_SECONDS,
        socket_connect_timeout=PATIENCE_SECONDS,
        decode_responses=True,
    )


def examine_server() -> Iterator[Finding]:
    """Look at the server: reachable, the right kind, with memory that does not forget messages."""
    try:
        with client() as broker:
            broker.ping()
            info: dict[str, Any] = broker.info()
    except (redis.RedisError, ValueError) as error:
        yield unusable(error)
        return
    yield from _kind(info)
    yield from _memory(info)


def unusable(error: Exception) -> Finding:
    """What an error of the client means and what to do about it."""
    where = place(current().redis.url)
    if isinstance(error, (redis.AuthenticationError, redis.exceptions.AuthorizationError)):
        return bad(f"{where} refuses the user name or password", "correct them in MONGOCLAW_REDIS__URL")
    if isinstance(error, (redis.ConnectionError, redis.TimeoutError)):
        return bad(
            f"{where} cannot be reached", "start Redis or Valkey there, or correct MONGOCLAW_REDIS__URL"
        )
    return bad(f"{where} refuses a command: {' '.join(str(error).split())}", "look into the server's log")


def _kind(info: dict[str, Any]) -> Iterator[Finding]:
    is_valkey = "valkey_version" in info
    version = str(info.get("valkey_version") or info.get("redis_version") or "0.0")
    name = "Valkey" if is_valkey else "Redis"
    if info.get("cluster_enabled"):
        yield bad(
            f"{place(current().redis.url)} is a Redis Cluster, which Celery cannot use", "use a single server"
        )
        return
    if info.get("role") == "slave":
        yield bad(
            f"{place(current().redis.url)} is a read-only replica", "name its master in MONGOCLAW_REDIS__URL"
        )
        return
    yield good(f"{place(current().redis.url)} answers: {name} {version}")
    if not is_valkey and tuple(int(part) for part in version.split(".")[:2]) < OLDEST:
        yield doubtful(
            f"Redis {version} gets no fixes any more", f"use {OLDEST[0]}.{OLDEST[1]} or newer, or Valkey"
        )


def _memory(info: dict[str, Any]) -> Iterator[Finding]:
    policy = str(info.get("maxmemory_policy", "noeviction"))
    if policy.startswith("allkeys-"):
        yield bad(
            f"maxmemory-policy is {policy}: Redis throws messages away when its memory is full",
            "set maxmemory-policy to noeviction",
        )
    else:
        yield good(f"maxmemory-policy is {policy}")
    limit = int(info.get("maxmemory", 0))
    if limit and int(info.get("used_memory", 0)) > NEARLY_FULL * limit:
        yield doubtful("its memory is nearly full: soon it takes no messages", "give it more maxmemory")
