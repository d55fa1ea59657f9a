"""Sending queued rows to the broker, and taking them back where it refuses."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from typing import Final

import structlog

from executions_app import transitions
from executions_app.fence import Term
from executions_app.models import Execution
from executions_app.routing import Outbound
from executions_app.states import Reason
from watcher.observing.metrics import PUBLISH_SECONDS
from watcher.sending.publisher import BrokerUnavailable, Publisher

log = structlog.get_logger(__name__)

BROKER_PAUSE: Final = timedelta(seconds=1)

SLOW: Final = 0.1
SLOW_EACH: Final = 0.000_2
"""Seconds for a publication and for each of its messages; a broker that takes longer is slow."""

LEFT_ALONE: Final = 4
"""A slow broker is left alone for so many times what it took, so that reading has at least this share of the time."""


class Sender:
    """Publishes rows that are queued already.

    A broker that refused is left alone for a second, a slow one for longer than it took: what is read in the
    meantime waits in the ledger, and the reading waits for no broker.
    """

    def __init__(
        self, publisher: Publisher, *, now: Callable[[], datetime], monotonic: Callable[[], float]
    ) -> None:
        self._publisher = publisher
        self._now = now
        self._monotonic = monotonic
        self._back_at = float("-inf")

    @property
    def ready(self) -> bool:
        """False while the broker is left alone."""
        return self._monotonic() >= self._back_at

    def send(
        self, rows: Sequence[Outbound], *, ahead: Collection[str] = (), term: Term | None = None
    ) -> bool:
        """Publish the rows; where the broker refuses they are pending again and False is returned.

        Raises Fenced if the term is over by then; the rows stay queued, and their lost messages are noticed.
        """
        started = self._monotonic()
        try:
            self._publisher.publish(rows, ahead=ahead)
        except BrokerUnavailable:
            pause = max(BROKER_PAUSE, timedelta(seconds=self._spare(started, len(rows))))
            self._back_at = self._monotonic() + pause.total_seconds()
            log.warning("broker.unavailable", waiting=len(rows))
            back = Execution.objects.filter(id__in=[row.id for row in rows])
            transitions.withdraw(back, Reason.BROKER_UNAVAILABLE, due_at=self._now() + pause, term=term)
            return False
        self._back_at = self._monotonic() + self._spare(started, len(rows))
        PUBLISH_SECONDS.observe(self._monotonic() - started)
        return True

    def _spare(self, started: float, messages: int) -> float:
        """How long the broker is to be left alone after what it took, in seconds."""
        took = self._monotonic() - started
        return LEFT_ALONE * took if took > SLOW + SLOW_EACH * messages else 0.0
