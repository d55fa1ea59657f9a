"""The questions to MongoDB, to Redis and to the SQL database."""

from __future__ import annotations

import functools
import threading
from typing import Any, Final

import redis
from django.db import DatabaseError, connection
from pymongo import MongoClient
from pymongo.errors import ConfigurationError as BadMongoURI
from pymongo.errors import ConnectionFailure, OperationFailure, PyMongoError

from mongoclaw_project.broker_connection import UNREACHABLE, AccessRefused, briefly_connected
from mongoclaw_project.config import current
from mongoclaw_project.health.component import Probe, Unhealthy

TIMEOUT_SECONDS: Final = 2.0

NO_REPLICA_SET: Final = (
    "is a standalone server, which has no change streams; "
    "start mongod with --replSet rs0 and run rs.initiate() once"
)
_OPENING: Final = threading.Lock()
_AUTHENTICATION_FAILED: Final = frozenset({18, 13})


@functools.cache
def probes() -> tuple[Probe, ...]:
    """The probes of this process; their clients are opened once and kept."""
    broker = (Probe("broker", ask_broker),) if current().broker.url else ()
    return (
        Probe("mongodb", ask_mongodb),
        Probe("redis", ask_redis),
        *broker,
        Probe("database", ask_database),
    )


def ask_mongodb() -> dict[str, Any]:
    """Ask MongoDB for its role. Raises Unhealthy if nobody answers or if it has no change streams."""
    try:
        hello = mongo().admin.command("hello")
    except OperationFailure as error:
        if error.code in _AUTHENTICATION_FAILED:
            raise Unhealthy("refuses the user name or password") from error
        raise Unhealthy(f"refuses to answer (code {error.code})") from error
    except ConnectionFailure as error:
        raise Unhealthy("cannot be reached") from error
    except BadMongoURI as error:
        raise Unhealthy("has an address that cannot be used") from error
    except PyMongoError as error:
        raise Unhealthy(f"failed ({type(error).__name__})") from error
    if "setName" not in hello and hello.get("msg") != "isdbgrid":
        raise Unhealthy(NO_REPLICA_SET)
    return {"topology": hello.get("setName") or "sharded"}


def ask_redis() -> dict[str, Any]:
    """Ping Redis. Raises Unhealthy if it does not answer."""
    try:
        _redis().ping()
    except redis.AuthenticationError as error:
        raise Unhealthy("refuses the user name or password") from error
    except (redis.ConnectionError, redis.TimeoutError) as error:
        raise Unhealthy("cannot be reached") from error
    except redis.RedisError as error:
        raise Unhealthy(f"failed ({type(error).__name__})") from error
    return {}


def ask_broker() -> dict[str, Any]:
    """Ask the broker that is not the Redis of the limits. Raises Unhealthy if it does not answer."""
    try:
        with briefly_connected(TIMEOUT_SECONDS) as connection:
            return {"transport": str(connection.transport.driver_type)}
    except UNREACHABLE as error:
        raise Unhealthy("cannot be reached") from error
    except AccessRefused as error:
        raise Unhealthy("refuses the user name or password") from error


def ask_database() -> dict[str, Any]:
    """Look into the SQL database. Raises Unhealthy if it is out of reach or was never migrated."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM django_migrations LIMIT 1")
            cursor.fetchone()
    except DatabaseError as error:
        if "django_migrations" in str(error):
            raise Unhealthy("has no tables; run `mongoclaw migrate`") from error
        raise Unhealthy("cannot be reached") from error
    finally:
        connection.close()
    return {"vendor": connection.vendor}


def mongo() -> MongoClient[dict[str, Any]]:
    """The client of this process's probes; it waits briefly for anything."""
    with _OPENING:  # two probes that ask first at the same moment would open two
        return _mongo()


@functools.cache
def _mongo() -> MongoClient[dict[str, Any]]:
    milliseconds = int(TIMEOUT_SECONDS * 1000)
    return MongoClient(
        current().mongodb.uri,
        serverSelectionTimeoutMS=milliseconds,
        connectTimeoutMS=milliseconds,
        socketTimeoutMS=milliseconds,
        minPoolSize=0,
        maxPoolSize=2,
        appname="mongoclaw-health",
    )


@functools.cache
def _redis() -> redis.Redis:
    return redis.Redis.from_url(
        current().redis.url, socket_timeout=TIMEOUT_SECONDS, socket_connect_timeout=TIMEOUT_SECONDS
    )
