"""Celery's settings: the broker is a hint, so nothing in it has to last."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Any, Final

from executions_app.routing import QUEUE
from mongoclaw_project.celery_queues import queue, quorum_arguments
from mongoclaw_project.config import Settings

_NEVER: Final = 2**62
_LEAST_SOCKET_TIMEOUT: Final = 15.0
_CONNECTIONS_BESIDE_THREADS: Final = 20
_SENTINEL_PATIENCE: Final = 2.0
"""Seconds; another Sentinel is asked after that."""
_HEARTBEAT_SECONDS: Final = 10
"""RabbitMQ and its clients say so often that they live; one that is silent for twice that is away."""

_SHARED_CONTROL: Final = {"control_queue_exclusive": False, "control_queue_durable": True}
"""RabbitMQ keeps an exclusive queue for a connection that it does not know to be dead: a worker that comes back over
a new one, and a second worker of the same name, would end by it. It still expires by itself."""


class BrokerKind(StrEnum):
    """The brokers that the settings can name."""

    REDIS = "redis"
    SENTINEL = "sentinel"
    RABBITMQ = "rabbitmq"


def celery_settings(settings: Settings) -> dict[str, Any]:
    """All that differs from Celery's defaults."""
    return {
        **_broker(settings),
        **_tasks(),
        **_worker(settings),
        **_database(settings),
    }


def _broker(settings: Settings) -> dict[str, Any]:
    kind = broker_kind(settings)
    arguments = quorum_arguments(settings.broker.delivery_limit) if kind is BrokerKind.RABBITMQ else None
    return {
        "broker_url": settings.broker_url.replace("unix://", "redis+socket://", 1),
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        "broker_heartbeat": _HEARTBEAT_SECONDS,
        "broker_transport_options": _TRANSPORTS[kind](settings),
        "task_default_queue": QUEUE,
        "task_default_exchange": QUEUE,
        "task_default_exchange_type": "direct",
        "task_default_routing_key": QUEUE,
        "task_queues": [queue(QUEUE, arguments)],
        # Those of the routing strategy, and what `celery -Q` names.
        "task_create_missing_queues": True,
        **(_SHARED_CONTROL if kind is BrokerKind.RABBITMQ else {}),
    }


def broker_kind(settings: Settings) -> BrokerKind:
    """Tell which broker the address means."""
    scheme = settings.broker_url.partition("://")[0]
    if scheme in {"amqp", "amqps"}:
        return BrokerKind.RABBITMQ
    return BrokerKind.SENTINEL if scheme == "sentinel" else BrokerKind.REDIS


def _redis_transport(settings: Settings) -> dict[str, Any]:
    redis = settings.redis
    return {
        "visibility_timeout": 3 * settings.worker.execution_timeout,
        "unacked_restore_interval": 5,
        "unacked_restore_throttle": 1,
        "queue_order_strategy": "round_robin",
        "health_check_interval": 10,
        # Must exceed the blocking pop; without one a publish on a half-open connection hangs for ever.
        "socket_timeout": max(redis.socket_timeout, _LEAST_SOCKET_TIMEOUT),
        "socket_connect_timeout": redis.socket_connect_timeout,
        "socket_keepalive": True,
        "max_connections": max(
            redis.max_connections, settings.worker.pool_size + _CONNECTIONS_BESIDE_THREADS
        ),
    }


def _sentinel_transport(settings: Settings) -> dict[str, Any]:
    broker = settings.broker
    asking: dict[str, Any] = dict.fromkeys(("socket_timeout", "socket_connect_timeout"), _SENTINEL_PATIENCE)
    if broker.sentinel_password:
        asking["password"] = broker.sentinel_password
    return {
        **_redis_transport(settings),
        "master_name": broker.sentinel_master,
        "sentinel_kwargs": asking,
    }


def _rabbitmq_transport(settings: Settings) -> dict[str, Any]:
    # Not `confirm_publish`: a worker would await each of its events. The publisher awaits confirms itself.
    return {
        "connect_timeout": settings.redis.socket_connect_timeout,
        "read_timeout": _LEAST_SOCKET_TIMEOUT,
        "write_timeout": _LEAST_SOCKET_TIMEOUT,
    }


_TRANSPORTS: Final[dict[BrokerKind, Callable[[Settings], dict[str, Any]]]] = {
    BrokerKind.REDIS: _redis_transport,
    BrokerKind.SENTINEL: _sentinel_transport,
    BrokerKind.RABBITMQ: _rabbitmq_transport,
}


def _tasks() -> dict[str, Any]:
    return {
        "imports": ("tasks.enrich",),
        "accept_content": ["json"],
        "task_serializer": "json",
        "task_ignore_result": True,
        "result_backend": None,
        "task_acks_late": True,
        "task_reject_on_worker_lost": True,
        "task_acks_on_timeout": False,
        "task_publish_retry": False,  # the ledger publishes again; a publisher must not wait here
        "task_send_sent_event": False,
        "enable_utc": True,
        "timezone": "UTC",
    }


def _worker(settings: Settings) -> dict[str, Any]:
    return {
        **_consumer(settings),
        "worker_pool": "threads",
        "worker_concurrency": settings.worker.pool_size,
        "worker_prefetch_multiplier": 1,
        "worker_disable_rate_limits": True,
        "worker_cancel_long_running_tasks_on_connection_loss": False,  # a cancelled call is a paid call
        "worker_send_task_events": settings.flower.enabled,
        "worker_hijack_root_logger": False,
        "worker_redirect_stdouts": False,
        "worker_enable_remote_control": True,
    }


def _consumer(settings: Settings) -> dict[str, Any]:
    on_rabbitmq = broker_kind(settings) is BrokerKind.RABBITMQ
    return {
        "worker_disable_prefetch": not on_rabbitmq,  # Redis alone has this
        "worker_consumer": "tasks.consumer:PlainConsumer"
        if on_rabbitmq
        else "tasks.strays:RecordingConsumer",
    }


def _database(settings: Settings) -> dict[str, Any]:
    """Keep SQLite connections across tasks: closing and opening them takes a fifth of a worker's time.

    Celery's Django fixup closes each thread's connection before and after each task unless `app.conf`
    holds this key under exactly this name. PostgreSQL's pool wants the closing: it hands the connection back.
    """
    if settings.database.url.startswith("sqlite:"):
        return {"CELERY_DB_REUSE_MAX": _NEVER}
    return {}
