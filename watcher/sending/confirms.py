"""Sending many messages at once and knowing that the broker has them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Final

from kombu import Connection, Producer
from kombu.exceptions import KombuError

AMQP: Final = "amqp"
"""kombu's word for transports to RabbitMQ."""


class NotConfirmed(KombuError):
    """The broker has refused a message."""


class Confirms:
    """RabbitMQ's word for every message that was sent on one channel, awaited for a whole batch.

    py-amqp's own way waits for each message, which is a round trip and a write to disk for each.
    """

    def __init__(self, channel: Any) -> None:
        self._sent = 0
        self._awaited: set[int] = set()
        self._refused = False
        channel.events["basic_ack"].add(self._on_ack)
        channel.events["basic_nack"].add(self._on_nack)
        channel.confirm_select()

    @contextmanager
    def of(self, messages: int, connection: Connection, *, patience: float) -> Iterator[None]:
        """Return once all messages that are published within are confirmed; there must be so many.

        `patience` is in seconds for each answer. Raises NotConfirmed, or a timeout; then nobody knows which have
        arrived, and the channel is of no more use.
        """
        self._awaited = set(range(self._sent + 1, self._sent + messages + 1))
        self._sent += messages
        yield
        while self._awaited:
            connection.drain_events(timeout=patience)
        if self._refused:
            raise NotConfirmed

    def _on_ack(self, tag: int, multiple: bool) -> None:
        if multiple:
            self._awaited = {awaited for awaited in self._awaited if awaited > tag}
        else:
            self._awaited.discard(tag)

    def _on_nack(self, tag: int, multiple: bool) -> None:
        self._refused = True
        self._on_ack(tag, multiple)


def one_round_trip(producer: Producer) -> AbstractContextManager[object]:
    """Send what is published within as one round trip; new in kombu 5.7 and not in its stubs yet."""
    batch: Callable[[], AbstractContextManager[object]] = producer.batch  # type: ignore[attr-defined]
    return batch()
