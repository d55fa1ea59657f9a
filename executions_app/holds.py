"""Holding runs back: of one agent or of all, until somebody lets them go on.

Events are put on record as ever, and runs in the air finish. Nothing new is started: dispatch leaves the rows of held
agents where they are, and a worker that has the message of one puts the row back, which burns no attempt.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Lock
from typing import Final

import structlog
from django.db import IntegrityError, transaction

from agents_app.publish import get
from executions_app.database import write_turn
from executions_app.models import Hold
from executions_app.text import storable

log = structlog.get_logger(__name__)

ALL: Final = ""
"""The scope of a hold of all agents."""

LONGEST_WHY: Final = 1_000
"""Characters of why something is held."""

STALE: Final = timedelta(seconds=1)
"""How old the knowledge of holds may be where each run asks."""


@dataclass(frozen=True, slots=True)
class Holding:
    """The holds in force: the one of all agents, and those of single ones."""

    overall: Hold | None = None
    agents: Mapping[str, Hold] = field(default_factory=dict)

    def of(self, agent_id: str) -> Hold | None:
        """Return what holds an agent, if anything does."""
        return self.overall or self.agents.get(agent_id)


def in_force() -> Holding:
    """Read the holds."""
    rows = {row.scope: row for row in Hold.objects.filter(lifted_at=None).order_by("scope")}
    return Holding(rows.pop(ALL, None), rows)


def lifted_since(moment: datetime) -> dict[str, datetime]:
    """Tell when the last hold of each scope ended, of those that ended after a moment."""
    ended = Hold.objects.filter(lifted_at__gt=moment).order_by("lifted_at")
    return {scope: lifted_at for scope, lifted_at in ended.values_list("scope", "lifted_at") if lifted_at}


def pause(scope: str, *, by: str, why: str, now: datetime) -> Hold:
    """Hold an agent, or all; one that is held already stays so, by whom and why it was. Raises AgentNotFound."""
    if scope != ALL:
        get(scope)
    try:
        with write_turn(), transaction.atomic():
            made = Hold.objects.create(scope=scope, by=by, why=storable(why), at=now)
    except IntegrityError:
        return Hold.objects.filter(scope=scope).latest("at")
    _recent.forget()
    log.warning("dispatch.held", scope=scope or "all", by=by, why=why or None)
    return made


def resume(scope: str, *, by: str, now: datetime) -> bool:
    """Let an agent, or all, go on; tells whether it was held. Raises AgentNotFound.

    What holds all agents holds this one still.
    """
    if scope != ALL:
        get(scope)
    with write_turn():
        lifted = Hold.objects.filter(scope=scope, lifted_at=None).update(lifted_at=now, lifted_by=by)
    _recent.forget()
    if lifted:
        log.warning("dispatch.resumed", scope=scope or "all", by=by)
    return bool(lifted)


class _Recent:
    """The holds in force, read at most once a second by all threads together."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._holding = Holding()
        self._at: datetime | None = None

    def as_of(self, now: datetime) -> Holding:
        with self._lock:
            if self._at is None or not timedelta(0) <= now - self._at < STALE:
                self._holding, self._at = in_force(), now
            return self._holding

    def forget(self) -> None:
        with self._lock:
            self._at = None


_recent = _Recent()


def recent(now: datetime) -> Holding:
    """Return the holds in force, as of a second ago at most."""
    return _recent.as_of(now)


def forget() -> None:
    """Read the holds anew next time. For tests, whose databases come and go."""
    _recent.forget()
