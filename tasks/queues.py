"""A worker's queues in step with the agents: what it consumes is compared with what the strategy implies.

Remote-control commands would be lost while a worker reconnects, and are forgotten when it restarts. So each second
the consumers that there really are stand beside those that there should be. See docs/adr/0017.
"""

from __future__ import annotations

import threading
import time
from typing import Any, Final

import structlog
from celery import bootsteps
from celery.worker.consumer.tasks import Tasks
from django.db import Error as DatabaseError

from executions_app.database import drop_broken_connection, release_connection
from executions_app.routes import Routes
from executions_app.routing import QUEUE

log = structlog.get_logger(__name__)

INTERVAL_SECONDS: Final = 1.0

LINGER_SECONDS: Final = 5.0
"""A queue that is no longer wanted is kept for so long, and until it is empty: publishers notice later than workers."""


class WantedQueues:
    """The queues that this worker should consume, kept up to date by a thread where they follow the agents.

    The thread is apart from the one that consumes: a database that makes it wait holds up no message.
    """

    def __init__(self, routes: Routes) -> None:
        self._routes = routes
        self._thread: threading.Thread | None = None
        self.names = frozenset({QUEUE}) if routes.follow_agents else routes.queues() | {QUEUE}
        """The plain queue always: releases and settings from before may have left messages in it."""

    def start(self) -> None:
        """Follow the agents from now on, as long as the process lives. Starting again does nothing."""
        if self._routes.follow_agents and self._thread is None:
            self._thread = threading.Thread(target=self._follow, name="wanted-queues", daemon=True)
            self._thread.start()

    def _follow(self) -> None:
        while True:
            try:
                self.names = self._routes.queues() | {QUEUE}
                release_connection()
            except DatabaseError as error:
                drop_broken_connection()
                log.warning("queues.unknown", error=type(error).__name__)
            time.sleep(INTERVAL_SECONDS)


class QueueKeeper(bootsteps.StartStopStep):
    """Adds and cancels consumers. Runs in the consumer's own thread, and begins anew with each connection."""

    requires = (Tasks,)
    wanted: WantedQueues

    def __init__(self, consumer: Any, **options: Any) -> None:
        super().__init__(consumer, **options)
        self._timer: Any = None
        self._unwanted_since: dict[str, float] = {}

    def start(self, consumer: Any) -> None:
        """Compare now, and each second from now on."""
        self.wanted.start()
        self._unwanted_since.clear()
        self._compare(consumer)
        self._timer = consumer.timer.call_repeatedly(INTERVAL_SECONDS, self._compare, (consumer,))

    def stop(self, consumer: Any) -> None:  # noqa: ARG002 - the shape of a step
        """Compare no longer: the connection is at its end."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _compare(self, consumer: Any) -> None:
        wanted, tasks = self.wanted.names, consumer.task_consumer
        real = {queue.name for queue in tasks.queues if tasks.consuming_from(queue.name)}
        for name in sorted(wanted - real):
            # Looked up first: Celery makes a queue of another kind of a name that it does not know yet.
            consumer.add_task_queue(consumer.app.amqp.queues[name].name)
        for name in sorted(real - wanted):
            self._leave(consumer, name)
        self._unwanted_since = {
            name: since for name, since in self._unwanted_since.items() if name in real - wanted
        }

    def _leave(self, consumer: Any, name: str) -> None:
        since = self._unwanted_since.setdefault(name, time.monotonic())
        if time.monotonic() - since < LINGER_SECONDS:
            return
        queue = consumer.app.amqp.queues[name]
        told = consumer.task_consumer.channel.queue_declare(
            queue=name, durable=queue.durable, auto_delete=queue.auto_delete, arguments=queue.queue_arguments
        )
        if not told.message_count:
            consumer.cancel_task_queue(name)
