"""Trouble that lasts: told once when it begins, and once when it is over.

Whoever looks says how it stands; between trouble and calm lies a span in which nothing changes, and calm has to last.
So what comes and goes is one alarm. It is on record as long as it lasts, and what is told of it is written with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from typing import Any, Final

from executions_app.fence import Term, held
from executions_app.forgetting import forget_oldest
from executions_app.models import Alarm, Notification
from executions_app.notifications import outbox
from mongoclaw_project.config.hooks import NotificationEvent

CALM: Final = timedelta(minutes=5)
"""Trouble is over once it has not been seen for so long."""

Key = tuple[str, str]


class Level(Enum):
    """How something stands at a look."""

    TROUBLE = "trouble"
    BETWEEN = "between"  # neither: what is told stays as it is
    CALM = "calm"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How one thing stands. `about` tells it from other things of its agent; `told` is what a notification says."""

    about: str
    level: Level
    agent_id: str = ""
    told: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> Key:
        """What it is about, whatever its state."""
        return self.agent_id, self.about


def settle(event: NotificationEvent, readings: Iterable[Reading], *, now: datetime, term: Term | None) -> int:
    """Begin and end alarms by what a look has found, and write what is to be told; returns how many.

    What is not among `readings` is calm. Raises Django's database errors, and Fenced; then nothing was written.
    """
    found = {reading.key: reading for reading in readings}
    with held(term):
        known = {(row.agent_id, row.about): row for row in Alarm.objects.filter(event=event)}
        told = [
            notification
            for key in sorted(known.keys() | found.keys())
            if (notification := _step(event, found.get(key) or _gone(key), known.get(key), now)) is not None
        ]
        outbox.put(told)
    return len(told)


def forget(event: NotificationEvent) -> None:
    """Take alarms of an event away, a few hundred at once: nobody wants to be told of them any more."""
    forget_oldest(Alarm.objects.filter(event=event).order_by("begun_at"))


def _gone(key: Key) -> Reading:
    return Reading(agent_id=key[0], about=key[1], level=Level.CALM)


def _step(
    event: NotificationEvent, reading: Reading, alarm: Alarm | None, now: datetime
) -> Notification | None:
    if alarm is None:
        return _begin(event, reading, now) if reading.level is Level.TROUBLE else None
    if reading.level is not Level.CALM:
        if alarm.calm_since is not None:
            Alarm.objects.filter(id=alarm.id).update(calm_since=None)
        return None
    if alarm.calm_since is None:
        Alarm.objects.filter(id=alarm.id).update(calm_since=now)
        return None
    return _end(event, reading, alarm, now) if now - alarm.calm_since >= CALM else None


def _begin(event: NotificationEvent, reading: Reading, now: datetime) -> Notification:
    Alarm.objects.create(event=event, agent_id=reading.agent_id, about=reading.about, begun_at=now)
    return _told(event, reading, "begun", begun_at=now, now=now)


def _end(event: NotificationEvent, reading: Reading, alarm: Alarm, now: datetime) -> Notification:
    Alarm.objects.filter(id=alarm.id).delete()
    return _told(event, reading, "over", begun_at=alarm.begun_at, now=now)


def _told(
    event: NotificationEvent, reading: Reading, state: str, *, begun_at: datetime, now: datetime
) -> Notification:
    edge = f"{reading.about}\0{begun_at.isoformat()}\0{state}"
    body = {"state": state, "about": reading.about, "since": begun_at.isoformat(), **reading.told}
    return outbox.made(event, reading.agent_id, edge, body, now)
