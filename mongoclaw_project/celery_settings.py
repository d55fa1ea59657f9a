"""Celery's settings: the broker is a hint, so nothing in it has to last."""

from __future__ import annotations

from typing import Any, Final

from kombu import Exchange, Queue

from mongoclaw_project.config import Settings

QUEUE: Final = "mongoclaw"
_NEVER: Final = 2**62
_LEAST_SOCKET_TIMEOUT: Final = 15.0
_CONNECTIONS_BESIDE_THREADS: Final = 20


def celery_settings(settings: Settings) -> dict[str, Any]:
    """All that differs from Celery's defaults."""
    return {
        **_broker(settings),
        **_tasks(),
        **_worker(settings),
        **_database(settings),
    }


def _broker(settings: Settings) -> dict[str, Any]:
    # A direct exchange of the queue's own name makes a publish one LPUSH: no lost binding set can lose it.
    exchange = Exchange(QUEUE, type="direct")
    return {
        "broker_url": settings.redis.url,
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        "broker_transport_options": _transport(settings),
        "task_default_queue": QUEUE,
        "task_default_exchange": QUEUE,
        "task_default_exchange_type": "direct",
        "task_default_routing_key": QUEUE,
        "task_queues": [Queue(QUEUE, exchange, routing_key=QUEUE)],
        "task_create_missing_queues": False,
    }


def _transport(settings: Settings) -> dict[str, Any]:
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
        "worker_pool": "threads",
        "worker_consumer": "tasks.strays:RecordingConsumer",
        "worker_concurrency": settings.worker.pool_size,
        "worker_prefetch_multiplier": 1,
        "worker_disable_prefetch": True,
        "worker_disable_rate_limits": True,
        "worker_cancel_long_running_tasks_on_connection_loss": False,  # a cancelled call is a paid call
        "worker_send_task_events": False,
        "worker_hijack_root_logger": False,
        "worker_redirect_stdouts": False,
        "worker_enable_remote_control": True,
    }


def _database(settings: Settings) -> dict[str, Any]:
    """Keep SQLite connections across tasks: closing and opening them takes a fifth of a worker's time.

    Celery's Django fixup closes each thread's connection before and after each task unless `app.conf`
    holds this key under exactly this name. PostgreSQL's pool wants the closing: it hands the connection back.
    """
    if settings.database.url.startswith("sqlite:"):
        return {"CELERY_DB_REUSE_MAX": _NEVER}
    return {}
