"""A connection to the broker for whoever only wants to look: it waits briefly for anything."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from amqp.exceptions import AccessRefused, AMQPError
from kombu import Connection
from kombu.exceptions import KombuError
from redis.exceptions import RedisError

from executions_app.transport import impatient
from mongoclaw_project.celery_settings import celery_settings
from mongoclaw_project.config import current

__all__ = ["UNREACHABLE", "AccessRefused", "briefly_connected"]

UNREACHABLE: Final = (KombuError, OSError, RedisError)
"""What a broker that does not answer looks like."""


@contextmanager
def briefly_connected(seconds: float) -> Iterator[Connection]:
    """Connect once, with no second try. Raises what is in UNREACHABLE, and AccessRefused."""
    told = celery_settings(current())
    connection = Connection(
        told["broker_url"],
        connect_timeout=seconds,
        transport_options=impatient(told["broker_transport_options"], seconds=seconds),
    )
    try:
        connection.connect()
        if connection.transport.driver_type == "redis":
            connection.default_channel.client.ping()  # type: ignore[attr-defined]  # unknown to its stubs
        yield connection
    except AccessRefused:
        raise
    except AMQPError as error:
        raise KombuError(type(error).__name__) from error
    finally:
        connection.release()
