"""kombu's Redis transport, with a worker that outlives a broker killed under it.

When the broker dies, kombu 5.7 closes the connection, and channels with unacknowledged messages look for their
address on it afterwards: in `close`, and when a run that went on acknowledges its message. That is an AttributeError,
which nobody expects, and the worker ends. As a connection error it is what Celery waits out; the messages are
published again from the ledger.
"""

from __future__ import annotations

from typing import Any, Final

from kombu.transport import TRANSPORT_ALIASES, redis
from redis.exceptions import ConnectionError as RedisConnectionError

SCHEMES: Final = ("redis", "rediss")


class Channel(redis.Channel):
    """A channel that says so when its connection is gone."""

    _kept: tuple[object, Any] | None = None

    def _create_client(self, asynchronous: bool = False) -> Any:
        """Keep the client that takes and acknowledges messages: kombu makes two for each, and each is built anew."""
        if asynchronous:
            return super()._create_client(asynchronous=True)  # type: ignore[misc]
        if self._kept is None or self._kept[0] is not self.pool:
            self._kept = (self.pool, super()._create_client())  # type: ignore[misc]
        return self._kept[1]

    def _connparams(self, asynchronous: bool = False) -> dict[str, Any]:
        if self.connection is None or self.connection.client is None:
            raise RedisConnectionError("this channel's connection to the broker is closed")
        found: dict[str, Any] = super()._connparams(asynchronous)  # type: ignore[misc]  # unknown to its stubs
        return found


class Transport(redis.Transport):
    """The transport of these channels."""

    Channel = Channel


def install() -> None:
    """Make it the transport of Redis addresses in this process."""
    for scheme in SCHEMES:
        TRANSPORT_ALIASES[scheme] = f"{__name__}:{Transport.__name__}"
