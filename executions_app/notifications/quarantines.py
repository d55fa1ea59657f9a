"""Who is in quarantine: agents that fail again and again, and accounts without credit, as the limiter says."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from executions_app.fence import Term
from executions_app.limits import Limiter, Pauses
from executions_app.notifications import alarms, outbox
from executions_app.notifications.alarms import Level, Reading
from executions_app.states import Reason
from mongoclaw_project.config.hooks import NotificationEvent

EVENT: Final = NotificationEvent.QUARANTINE
_AGENT: Final = "agent:"


def look(limiter: Limiter, *, now: datetime, monotonic: float, term: Term | None) -> int:
    """Write what is to be told of quarantines; returns how many notifications.

    Raises Django's database errors, Fenced, and LimiterUnavailable: then nobody knows, and nothing has changed.
    """
    if not outbox.is_wanted(EVENT):
        alarms.forget(EVENT)
        return 0
    readings = list(_readings(limiter.pauses(), monotonic))
    return alarms.settle(EVENT, readings, now=now, term=term)


def _readings(pauses: Pauses, monotonic: float) -> Iterator[Reading]:
    """An agent's quarantine ends by itself. That an account has credit again is known once a call is answered.

    Until then the limiter remembers its pause, although it may be over: it is over so that a call can try.
    """
    for held in pauses.in_force(monotonic=monotonic):
        if held.reason == Reason.QUARANTINED:
            agent_id = held.name.removeprefix(_AGENT)
            yield _trouble(held.name, held.reason, agent_id)
    for name, pause in pauses.found.items():
        if pause.reason == Reason.PROVIDER_QUOTA:
            yield _trouble(name, pause.reason)


def _trouble(name: str, reason: str, agent_id: str = "") -> Reading:
    return Reading(about=name, level=Level.TROUBLE, agent_id=agent_id, told={"reason": reason})
