"""Celery's consumer on RabbitMQ."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from celery.worker.consumer import Consumer

from tasks.strays import RecordingConsumer

_STEPS: Final[Any] = Consumer.Blueprint


class _WithoutDelays(_STEPS):  # type: ignore[misc]  # celery-types takes it for a variable
    default_steps: ClassVar = [step for step in _STEPS.default_steps if "delayed_delivery" not in str(step)]


class PlainConsumer(RecordingConsumer):
    """A consumer without Celery's delayed delivery: 28 queues and exchanges for what the ledger does."""

    Blueprint = _WithoutDelays
