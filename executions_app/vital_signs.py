"""Who gives signs of life, as somebody sees it who looks now and then. Hosts' clocks may differ by any amount."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from executions_app.models import WorkerProcess


class Sign(NamedTuple):
    """The last beat of a process: the number that grows, and the time on its own clock."""

    id: str
    role: str
    host: str
    pid: int
    slots: int
    beat: int
    beat_at: datetime

    def __str__(self) -> str:
        return f"{self.host}:{self.pid}"


@dataclass(slots=True)
class _Seen:
    beat: int
    ahead: float | None = None
    """Least seconds by which our clock was seen ahead of a new beat's; None before one was seen to come."""


@dataclass(slots=True)
class VitalSigns:
    """Tells the living from the silent. A process may be silent for `patience` seconds. One thread at a time.

    How far a host's clock is off is learnt from beats that come while one looks. Of a process that is seen for the
    first time it is not known, so that one may be silent for twice as long by its clock.
    """

    patience: float
    _seen: dict[str, _Seen] = field(default_factory=dict)

    def living(self, signs: Iterable[Sign], *, now: datetime) -> set[str]:
        """Return the ids of those that live; who is not among `signs` is forgotten."""
        known, self._seen = self._seen, {}
        return {sign.id for sign in signs if self._lives(sign, known.get(sign.id), now)}

    def _lives(self, sign: Sign, seen: _Seen | None, now: datetime) -> bool:
        ahead = (now - sign.beat_at).total_seconds()
        known = seen or _Seen(sign.beat)
        if known.beat != sign.beat:
            known.beat, known.ahead = sign.beat, ahead if known.ahead is None else min(known.ahead, ahead)
        self._seen[sign.id] = known
        if known.ahead is None:
            return ahead <= 2 * self.patience
        return ahead - known.ahead <= self.patience


def signs(role: str | None = None) -> list[Sign]:
    """Read the last beat of every process, or of those of a role. Raises Django's database errors."""
    rows = WorkerProcess.objects.order_by("host", "pid")
    if role is not None:
        rows = rows.filter(role=role)
    return [Sign(*row) for row in rows.values_list(*Sign._fields)]
