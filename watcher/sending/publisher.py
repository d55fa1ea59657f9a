"""Sending rows to the broker, many in one round trip."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

from celery import Celery
from kombu import Connection, Producer
from kombu.exceptions import KombuError

from agents_app.errors import Decision, MongoClawError
from agents_app.spec import AgentSpec
from executions_app.routes import Routes
from executions_app.routing import Home, Outbound, queue_of, queue_of_agent
from executions_app.transport import impatient
from watcher.observing.metrics import ROUTED
from watcher.sending.confirms import AMQP, Confirms, one_round_trip
from watcher.sending.message import Messages

PATIENCE_SECONDS: Final = 2.0
"""A broker that says nothing for so long is away."""


class BrokerUnavailable(MongoClawError):
    """The broker does not take messages; the rows stay in the ledger and are published again."""

    decision: ClassVar[Decision] = Decision.DEFER
    code: ClassVar[str] = "broker_unavailable"


@dataclass(slots=True)
class _Line:
    """A thread's connection, what it sends with, and the queues that are known to be there."""

    connection: Connection
    producer: Producer
    confirms: Confirms | None
    declared: set[str] = field(default_factory=set)

    def sending(self, messages: int) -> AbstractContextManager[object]:
        """Send so many messages together; returns once the broker has them."""
        if self.confirms is None:
            return one_round_trip(self.producer)
        return self.confirms.of(messages, self.connection, patience=PATIENCE_SECONDS)


class Publisher:
    """Publishes to the queues of the routing strategy, with a connection of its own for each thread.

    Celery's shared pool waits for a broker that is away, for ever by its settings for workers; a publisher must
    return at once, because the ledger publishes again.
    """

    def __init__(self, app: Celery, routes: Routes) -> None:
        self._app = app
        self._routes = routes
        self._messages = Messages(app)
        self._held = threading.local()

    def publish(self, rows: Sequence[Outbound], *, ahead: Collection[str] = ()) -> None:
        """Send one message per row; those of the agents in `ahead` go before what waits in their queues, on Redis.

        Raises BrokerUnavailable; then any part of them may have been sent, which claims make harmless.
        """
        if not rows:
            return
        plan = self._routes.plan()
        with self._line() as line:
            queues = [queue_of(row, plan) for row in rows]
            self._declare(line, set(queues))
            with line.sending(len(rows)):
                for row, queue in zip(rows, queues, strict=True):
                    self._messages.publish(line.producer, row.id, queue, ahead=row.agent_id in ahead)
        for queue, messages in Counter(queues).items():
            ROUTED.labels(plan.strategy.value, queue).inc(messages)

    def queue_of(self, spec: AgentSpec) -> str:
        """Name the queue of an agent's changes."""
        home = Home(spec.id, *spec.watch_namespace)
        return queue_of_agent(home, spec.execution.priority, self._routes.plan())

    def depth(self) -> int:
        """Count the messages that wait in all queues of the strategy.

        Raises BrokerUnavailable.
        """
        queues = self._routes.queues()
        with self._line() as line:
            return sum(self._depth_of(line, queue) for queue in queues)

    def is_drained(self) -> bool:
        """Tell whether no message of ours is anywhere but in the hands of a thread that runs it.

        RabbitMQ counts no message that it has delivered, and delivers to each worker as many of each queue as it has
        threads: with several queues nobody knows. Then queues are declared anew before the next message: they may
        be gone. Raises BrokerUnavailable.
        """
        with self._line() as line:
            if line.confirms is not None and len(self._routes.queues()) > 1:
                line.declared.clear()
                return False
        return self.depth() == 0

    def close(self) -> None:
        """Close this thread's connection."""
        line: _Line | None = self._held.__dict__.pop("line", None)
        if line is not None:
            line.connection.release()

    @contextmanager
    def _line(self) -> Iterator[_Line]:
        """Lend the thread's line; one that failed is thrown away with its connection."""
        try:
            if not hasattr(self._held, "line"):
                self._held.line = self._connect()
            yield self._held.line
        except self._errors() as error:
            self.close()
            raise BrokerUnavailable(error=type(error).__name__) from error

    def _connect(self) -> _Line:
        options = impatient(self._app.conf.broker_transport_options, seconds=PATIENCE_SECONDS)
        connection = self._app.connection_for_write(transport_options=options)
        try:
            producer = self._app.amqp.Producer(connection, auto_declare=False)
            is_amqp = connection.transport.driver_type == AMQP
            return _Line(connection, producer, Confirms(producer.channel) if is_amqp else None)
        except BaseException:
            connection.release()
            raise

    def _declare(self, line: _Line, queues: set[str]) -> None:
        """Make sure that queues are there: RabbitMQ drops without a word what is sent to one that is not."""
        for queue in queues - line.declared:
            line.producer.maybe_declare(self._app.amqp.queues[queue])
            line.declared.add(queue)

    def _depth_of(self, line: _Line, name: str) -> int:
        """Declare the queue and count: asking for one that is not there would cost RabbitMQ's channel."""
        queue = self._app.amqp.queues[name]
        channel: Any = line.producer.channel
        told = channel.queue_declare(
            queue=name,
            durable=queue.durable,
            exclusive=queue.exclusive,
            auto_delete=queue.auto_delete,
            arguments=queue.queue_arguments,
        )
        return int(told.message_count)

    def _errors(self) -> tuple[type[BaseException], ...]:
        known = self._app.connection_for_write()
        errors: tuple[type[BaseException], ...] = (
            KombuError,
            OSError,
            *known.connection_errors,
            *known.channel_errors,
        )
        return errors
