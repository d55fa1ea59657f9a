"""The brokers that a storm may strike, and how each is brought back and emptied."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from amqp.exceptions import AMQPError
from kombu import Connection
from kombu.exceptions import KombuError
from redis import Redis
from redis.exceptions import RedisError

from sandbox.embedded import RunningServer, start_rabbitmq, start_valkey


@dataclass(frozen=True, slots=True)
class Kind:
    """What is particular to one kind of broker."""

    setting: str
    """The setting that leads our processes to it."""
    start: Callable[[Path, int | None], RunningServer]
    empty: Callable[[str], None]
    survives_a_kill: bool
    """Whether it has its queues after a SIGKILL. RabbitMQ 3.10 has those that it wrote down, every three minutes."""


@dataclass(slots=True)
class Carrier:
    """The broker of a storm, through its lives."""

    kind: Kind
    directory: Path
    server: RunningServer = field(init=False)
    _lives: int = 0

    def __post_init__(self) -> None:
        self.server = self.kind.start(self._place, None)

    def restart(self, *, empty: bool) -> None:
        """Bring it back after it was killed or stopped, with its data or without."""
        self._lives += empty
        self.server = self.kind.start(self._place, self.server.port)

    def kill(self) -> None:
        """SIGKILL, whichever of its lives it is in."""
        self.server.kill()

    def flush(self) -> None:
        """Take all messages away from it; one that does not answer keeps them."""
        self.kind.empty(self.server.url)

    @property
    def _place(self) -> Path:
        return self.directory / f"life-{self._lives}"


def _flush_valkey(url: str) -> None:
    with suppress(RedisError), Redis.from_url(url, socket_timeout=5) as client:
        client.flushall()


def _purge_rabbitmq(url: str) -> None:
    with (
        suppress(OSError, AMQPError, KombuError),
        Connection(url, connect_timeout=5) as connection,
    ):
        channel: Any = connection.default_channel
        channel.queue_purge("mongoclaw")


KINDS: Final[Mapping[str, Kind]] = {
    "valkey": Kind(
        setting="MONGOCLAW_REDIS__URL",
        start=lambda place, port: start_valkey(place, port=port, append_only=True),
        empty=_flush_valkey,
        survives_a_kill=True,
    ),
    "rabbitmq": Kind(
        setting="MONGOCLAW_BROKER__URL",
        start=lambda place, port: start_rabbitmq(place, port=port),
        empty=_purge_rabbitmq,
        survives_a_kill=False,
    ),
}
"""By the name that BROKER gives; with RabbitMQ a Valkey that nobody strikes keeps the limits."""
