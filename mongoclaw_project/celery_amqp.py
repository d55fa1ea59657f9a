"""Celery's side of the broker, which knows our queues by their names. For workers and publishers: it loads Celery."""

from __future__ import annotations

from typing import Any

from celery.app.amqp import AMQP, Queues
from kombu import Queue

from mongoclaw_project.celery_queues import for_a_time, queue


class OwnQueues(Queues):
    """Celery's map of queues, in which a name that nobody configured is one of ours."""

    arguments: dict[str, Any] | None = None

    def new_missing(self, name: str) -> Queue:
        """Describe a queue that `celery -Q` or a routing strategy names."""
        return queue(name, for_a_time(self.arguments))


class OwnAMQP(AMQP):
    """Celery's side of the broker with our map of queues."""

    queues_cls = OwnQueues

    def Queues(self, queues: Any, *args: Any, **kwargs: Any) -> Queues:  # noqa: N802 - Celery's name
        """Let new queues be like the configured ones."""
        made = super().Queues(queues, *args, **kwargs)
        known = next(iter(made.values()), None)
        if isinstance(made, OwnQueues) and known is not None:
            made.arguments = known.queue_arguments
        return made
