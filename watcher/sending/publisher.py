"""Sending execution ids to the broker, many in one round trip."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, ClassVar, Final

from celery import Celery
from kombu import Connection, Producer
from kombu.exceptions import KombuError

from agents_app.errors import Decision, MongoClawError
from watcher.sending.message import Messages

PATIENCE_SECONDS: Final = 2.0
"""A broker that says nothing for so long is away."""


class BrokerUnavailable(MongoClawError):
    """The broker does not take messages; the rows stay in the ledger and are published again."""

    decision: ClassVar[Decision] = Decision.DEFER
    code: ClassVar[str] = "broker_unavailable"


class Publisher:
    """Publishes to Celery's queue, with a connection of its own for each thread.

    Celery's shared pool waits for a broker that is away, for ever by its settings for workers; a publisher must
    return at once, because the ledger publishes again.
    """

    def __init__(self, app: Celery) -> None:
        self._app = app
        self._queue = str(app.conf.task_default_queue)
        self._messages = Messages(app, self._queue)
        self._held = threading.local()

    def publish(self, execution_ids: Sequence[str]) -> None:
        """Send one message per id.

        Raises BrokerUnavailable; then any part of them may have been sent, which claims make harmless.
        """
        if not execution_ids:
            return
        with self._producer() as producer, _batch(producer):
            for id_ in execution_ids:
                self._messages.publish(producer, id_)

    def depth(self) -> int:
        """Count the messages that wait in the queue. One that does not exist is empty: so Redis keeps it.

        Raises BrokerUnavailable.
        """
        with self._producer() as producer:
            channel: Any = producer.channel
            try:
                return int(channel.queue_declare(self._queue, passive=True).message_count)
            except self._held.connection.channel_errors:
                return 0

    def close(self) -> None:
        """Close this thread's connection."""
        connection: Connection | None = self._held.__dict__.pop("connection", None)
        self._held.__dict__.pop("producer", None)
        if connection is not None:
            connection.release()

    @contextmanager
    def _producer(self) -> Iterator[Producer]:
        """Lend the thread's producer; one that failed is thrown away with its connection."""
        try:
            if not hasattr(self._held, "producer"):
                self._connect()
            yield self._held.producer
        except self._errors() as error:
            self.close()
            raise BrokerUnavailable(error=type(error).__name__) from error

    def _connect(self) -> None:
        options = {**self._app.conf.broker_transport_options, "max_retries": 0}
        # Workers wait for a message longer than this; a publisher waits for nothing but an answer.
        options |= dict.fromkeys(("socket_timeout", "socket_connect_timeout"), PATIENCE_SECONDS)
        self._held.connection = self._app.connection_for_write(transport_options=options)
        producer = self._app.amqp.Producer(self._held.connection, auto_declare=False)
        # RabbitMQ drops without a word what is sent to a queue that nobody has declared.
        producer.maybe_declare(self._app.amqp.queues[self._queue])
        self._held.producer = producer

    def _errors(self) -> tuple[type[BaseException], ...]:
        known = self._app.connection_for_write()
        errors: tuple[type[BaseException], ...] = (
            KombuError,
            OSError,
            *known.connection_errors,
            *known.channel_errors,
        )
        return errors


def _batch(producer: Producer) -> AbstractContextManager[object]:
    """Send what is published within as one round trip; new in kombu 5.7 and not in its stubs yet."""
    batch: Callable[[], AbstractContextManager[object]] = producer.batch  # type: ignore[attr-defined]
    return batch()
