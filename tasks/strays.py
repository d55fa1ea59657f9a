"""Celery's consumer, with a record of what it cannot read: Celery itself logs such messages and forgets them."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

import structlog
from celery.worker.consumer import Consumer
from django.db import DatabaseError, InterfaceError
from kombu.message import Message

from executions_app import strays
from executions_app.database import drop_broken_connection, release_connection
from executions_app.states import Reason
from executions_app.strays import Stray

logger = logging.getLogger(__name__)
log = structlog.get_logger(__name__)

_MALFORMED: Final = (KeyError, TypeError, ValueError, AttributeError, IndexError)
"""What Celery raises, and does not expect, where a message has headers of a task but not all of them."""


class RecordingConsumer(Consumer):
    """Puts on record what is no run, before Celery drops it."""

    def create_task_handler(self, *args: Any, **kwargs: Any) -> Callable[[Message], None]:
        """Handle messages as Celery does, and outlive those that are half a task."""
        handle = super().create_task_handler(*args, **kwargs)

        def handle_any(message: Message) -> None:
            try:
                handle(message)
            except _MALFORMED as error:
                self.on_invalid_task(None, message, error)

        return handle_any

    def on_decode_error(self, message: Message, exc: Exception) -> None:
        """Record a message whose body cannot be read."""
        keep(_read(message, Reason.MESSAGE_UNDECODABLE, exc))
        message.ack()

    def on_unknown_message(self, body: object, message: Message) -> None:  # noqa: ARG002  # Celery's signature
        """Record a message that names no task."""
        keep(_read(message, Reason.MESSAGE_WITHOUT_TASK))
        self._drop(message)

    def on_unknown_task(self, body: object, message: Message, exc: Exception) -> None:  # noqa: ARG002  # likewise
        """Record a message for a task that is not ours."""
        keep(_read(message, Reason.UNKNOWN_TASK))
        self._drop(message)

    def on_invalid_task(self, body: object, message: Message, exc: Exception) -> None:  # noqa: ARG002  # likewise
        """Record a message that lacks parts."""
        keep(_read(message, Reason.MESSAGE_INVALID, exc))
        self._drop(message)

    def _drop(self, message: Message) -> None:
        lost: tuple[type[Exception], ...] = self.connection_errors  # type: ignore[attr-defined]  # unknown to its stubs
        message.reject_log_error(logger, lost)


def keep(stray: Stray) -> None:
    """Put a message on record. Where the ledger is away, the log has it: it would come back for ever otherwise."""
    found = {"reason": stray.reason.value, "task": stray.task or None, "message_id": stray.message_id or None}
    try:
        id_ = strays.record(stray, host=socket.gethostname(), now=datetime.now(UTC))
    except (DatabaseError, InterfaceError) as error:
        drop_broken_connection()
        log.error(  # noqa: TRY400  # what counts is the message
            "message.lost", excerpt=strays.excerpt(stray.body), ledger=type(error).__name__, **found
        )
    else:
        release_connection()
        log.warning("message.stray", dead_letter=id_, **found)


def _read(message: Message, reason: Reason, error: Exception | None = None) -> Stray:
    """Take from a message what can be had, whatever it is made of."""
    headers = message.headers if isinstance(message.headers, dict) else {}
    properties = message.properties if isinstance(message.properties, dict) else {}
    delivery = message.delivery_info if isinstance(message.delivery_info, dict) else {}
    return Stray(
        reason=reason,
        body=_bytes(message.body),
        error="" if error is None else f"{type(error).__name__}: {error}",
        task=str(headers.get("task") or ""),
        message_id=str(headers.get("id") or properties.get("correlation_id") or ""),
        queue=str(delivery.get("routing_key") or ""),
        content_type=str(message.content_type or ""),
    )


def _bytes(body: object) -> bytes:
    if isinstance(body, bytes):
        return body
    return (body if isinstance(body, str) else repr(body)).encode("utf-8", "replace")
