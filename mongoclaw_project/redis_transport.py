"""kombu's Redis transports, with a worker that outlives a broker killed under it.

When the broker dies, kombu 5.7 closes the connection, and channels with unacknowledged messages look for their
address on it afterwards: in `close`, and when a run that went on acknowledges its message. That is an AttributeError,
which nobody expects, and the worker ends. As a connection error it is what Celery waits out; the messages are
published again from the ledger.

A message can go ahead of those that wait: Redis lists have two ends, and messages are taken from one.

It also ends by the first thing in a queue that is not one of its envelopes. Here that comes in an envelope of its own,
as a message that nobody can read, and `tasks.strays` puts it on record.
"""

from __future__ import annotations

import binascii
import uuid
from base64 import b64decode
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

from kombu.transport import TRANSPORT_ALIASES, redis, virtual
from kombu.utils.json import dumps, loads
from redis.exceptions import ConnectionError as RedisConnectionError

from executions_app.message_format import AHEAD_HEADER

LONGEST_DONE_SECONDS: Final = 0.1
"""How long a message that is done stays in Redis, if no other is taken up."""

UNREADABLE: Final = "application/x-unreadable"
"""The content type of what came without an envelope."""


class Gathering(redis.QoS):
    """Takes acknowledged messages out of Redis together with the next one that is taken up, or a moment later.

    kombu asks Redis once more for each. While a worker stops, they wait until its channel closes. What is still there
    when a worker is killed comes again, and its row is at its end.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._done: deque[str] = deque()
        self._is_due = False

    def ack(self, delivery_tag: str) -> None:
        """Let go of a message: its place is free at once."""
        loop = getattr(self.channel.connection, "loop", None)
        if loop is None:
            super().ack(delivery_tag)
            return
        self._done.append(delivery_tag)
        virtual.QoS.ack(self, delivery_tag)
        if not self._is_due:
            self._is_due = True
            # Not call_later itself: a thread of the pool may be here, and the loop asleep.
            loop.call_soon(loop.call_later, LONGEST_DONE_SECONDS, self._clear)

    @contextmanager
    def pipe_or_acquire(self, pipe: Any = None, client: Any = None) -> Iterator[Any]:
        """Give a pipeline; a new one removes what is done on its way."""
        with super().pipe_or_acquire(pipe, client) as found:
            done = [] if pipe else self._take()
            if done:
                found.zrem(self.unacked_index_key, *done).hdel(self.unacked_key, *done)
            yield found

    def restore_unacked_once(self, stderr: Any = None) -> None:
        """Give back what is not done, when the channel closes."""
        self._clear()
        super().restore_unacked_once(stderr)

    def _take(self) -> list[str]:
        found: list[str] = []
        with suppress(IndexError):  # somebody else takes too
            while True:
                found.append(self._done.popleft())
        return found

    def _clear(self) -> None:
        self._is_due = False
        if not self._done:
            return
        # As with a single one: a broker that is away has lost it, or gives it again.
        with suppress(*Transport.connection_errors), self.pipe_or_acquire() as pipe:
            pipe.execute()


class _Sound(redis.Channel):
    QoS = Gathering

    _kept: tuple[object, Any] | None = None

    def _create_client(self, asynchronous: bool = False) -> Any:
        """Keep the client that takes and acknowledges messages: kombu makes two for each, and each is built anew."""
        if asynchronous:
            return super()._create_client(asynchronous=True)  # type: ignore[misc]
        if self._kept is None or self._kept[0] is not self.pool:
            self._kept = (self.pool, super()._create_client())  # type: ignore[misc]
        return self._kept[1]

    def _put(self, queue: str, message: dict[str, Any], **options: Any) -> None:
        """Put a message that goes ahead where the next one is taken; all others behind those that wait."""
        batch = options.get("_publish_batch")
        if batch is None or not message.get("headers", {}).get(AHEAD_HEADER):
            super()._put(queue, message, **options)
            return
        batch.add("rpush", queue, dumps(message))

    def _connparams(self, asynchronous: bool = False) -> dict[str, Any]:
        if self.connection is None or self.connection.client is None:
            raise RedisConnectionError("this channel's connection to the broker is closed")
        found: dict[str, Any] = super()._connparams(asynchronous)  # type: ignore[misc]  # unknown to its stubs
        return found


class Channel(_Sound):
    """A channel that says so when its connection is gone."""


class _Looped(redis.Transport):
    loop: Any = None
    """The event loop of the worker, if it is one; kombu's global is gone after the first lost connection."""

    def register_with_event_loop(self, connection: Any, loop: Any) -> None:
        self.loop = loop
        super().register_with_event_loop(connection, loop)


class Transport(_Looped):
    """The transport of these channels."""

    Channel = Channel


class SentinelChannel(_Sound, redis.SentinelChannel):
    """The same to the master that Sentinel names."""


class SentinelTransport(_Looped, redis.SentinelTransport):
    """The transport of these channels."""

    Channel = SentinelChannel


TRANSPORTS: Final = {"redis": Transport, "rediss": Transport, "sentinel": SentinelTransport}


def install() -> None:
    """Make them the transports of Redis addresses in this process."""
    redis.loads = read_envelope  # type: ignore[attr-defined]  # unknown to its stubs
    for scheme, transport in TRANSPORTS.items():
        TRANSPORT_ALIASES[scheme] = f"{__name__}:{transport.__name__}"


def read_envelope(text: str) -> Any:
    """Read what kombu has put into Redis; anything else comes back as the body of an unreadable message."""
    try:
        found = loads(text)
    except (ValueError, TypeError, RecursionError):
        return _enveloped(text)
    # Beside messages there are lists of a message and its address, in the store of what is not acknowledged.
    message = found[0] if isinstance(found, list) and found else found
    return found if _is_envelope(message) else _enveloped(text)


def _is_envelope(found: Any) -> bool:
    try:
        properties, headers = found["properties"], found.get("headers")
        address = properties["delivery_info"]
        if found.get("body") and properties.get("body_encoding") == "base64":
            b64decode(found["body"])
        known = (properties["delivery_tag"], address["exchange"], address["routing_key"])
    except (KeyError, TypeError, AttributeError, binascii.Error):
        return False
    return isinstance(headers, dict | None) and all(isinstance(part, str) for part in known)


def _enveloped(text: str) -> dict[str, Any]:
    return {
        "body": text,
        "content-type": UNREADABLE,
        "content-encoding": "utf-8",
        "headers": {},
        "properties": {
            "delivery_tag": str(uuid.uuid4()),
            "delivery_info": {"exchange": "", "routing_key": ""},
        },
    }
