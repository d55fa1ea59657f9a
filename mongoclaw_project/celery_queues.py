"""The queues as they are declared, by whoever comes first: publishers, workers and `celery -Q` must say the same."""

from __future__ import annotations

from typing import Any, Final

from kombu import Exchange, Queue

DEAD: Final = "mongoclaw.dead"
"""RabbitMQ's exchange and queue of messages that it gave up."""

UNUSED_MS: Final = 7 * 24 * 3_600_000
"""A queue of the routing strategy that nobody consumes for so long is that of an agent that is gone."""

_QUORUM: Final = {"x-queue-type": "quorum"}


class QuorumQueue(Queue):
    """A queue of RabbitMQ; what it gives up has a place to go before the first message comes."""

    def declare(self, nowait: bool = False, channel: Any = None) -> str | None:
        """Declare the dead letters' queue, then this one."""
        _described(Queue, DEAD, dict(_QUORUM)).declare(channel=channel or self.channel)
        return super().declare(nowait=nowait, channel=channel)


def queue(name: str, arguments: dict[str, Any] | None) -> Queue:
    """Describe a queue: RabbitMQ's with the arguments given, or one of Redis, which knows none."""
    return _described(QuorumQueue if arguments else Queue, name, arguments)


def for_a_time(arguments: dict[str, Any] | None) -> dict[str, Any] | None:
    """What RabbitMQ is told of a queue that comes and goes with its agent. Deleted, it costs a delay and no run."""
    return arguments and {**arguments, "x-expires": UNUSED_MS}


def _described(kind: type[Queue], name: str, arguments: dict[str, Any] | None) -> Queue:
    # A direct exchange of the queue's own name makes a publish to Redis one LPUSH: no lost binding set can lose it.
    return kind(name, Exchange(name, type="direct"), routing_key=name, queue_arguments=arguments)


def quorum_arguments(delivery_limit: int) -> dict[str, Any]:
    """What RabbitMQ is told of each queue: replicated, and no message dropped in silence.

    The dead-letter exchange gets a message at least once, which needs a queue that refuses rather than drops.
    """
    return {
        **_QUORUM,
        "x-delivery-limit": delivery_limit,
        "x-dead-letter-exchange": DEAD,
        "x-dead-letter-routing-key": DEAD,
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    }
