"""Putting documents on record, and how far the range is, in one transaction."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import structlog
from bson import Timestamp
from django.db import transaction
from django.db.models import F

from agents_app.registry import ActiveAgent
from executions_app import ledger
from executions_app.database import patiently
from executions_app.fence import Term, held
from executions_app.identity import pack_time
from executions_app.ledger import NewExecution
from executions_app.models import Backfill, BackfillRange, BackfillStatus
from watcher.backfill.key import Key, to_text, value_of
from watcher.recording.ingest import ROW_AT_FAULT

log = structlog.get_logger(__name__)

OPERATION: Final = "backfill"
BELOW_LIVE: Final = 1_000
"""So much lower than its agent's is the priority of a backfill's row: any live event goes first."""


class NotRunning(Exception):
    """The backfill was paused or ended, or the range is further already: nothing was recorded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What one round has found out about a range. `keys` are to be put on record; `cursor` is how far it went."""

    backfill_id: str
    number: int
    before: Key | None
    cursor: Key | None
    keys: Sequence[Key]
    time: Timestamp
    read: int
    current: int
    exhausted: bool
    room: int | None = None
    """How many rows are left until the limit."""

    def ends_with(self, recorded: int) -> bool:
        """Whether the range is done once so many rows are new."""
        return self.exhausted or (self.room is not None and recorded >= self.room)


def record(round_: Round, agent: ActiveAgent, *, now: datetime, term: Term | None) -> int:
    """Put the round on record; returns how many rows are new.

    Raises NotRunning, Fenced, and Django's database errors: then nothing was recorded.
    """
    sequence = time.time_ns()
    rows = [_row(round_, agent, key, sequence + index) for index, key in enumerate(round_.keys)]
    try:
        return _record(round_, rows, now=now, term=term)
    except ROW_AT_FAULT:
        sound = [row for row in rows if _is_sound(row, now)]
        return _record(round_, sound, now=now, term=term)


def _record(round_: Round, rows: Sequence[NewExecution], *, now: datetime, term: Term | None) -> int:
    # The rows are made before the transaction begins: nobody waits for hashes.
    with patiently():
        entered = ledger.enter(rows, room={}, now=now, term=term, along=lambda new: _advance(round_, new))
    return entered.pending


def _advance(round_: Round, new: int) -> None:
    # Kept from being cancelled before this transaction ends.
    running = Backfill.objects.select_for_update().filter(
        id=round_.backfill_id, status=BackfillStatus.RUNNING
    )
    here = BackfillRange.objects.filter(
        backfill_id=round_.backfill_id, number=round_.number, cursor=to_text(round_.before), done=False
    )
    if running.values_list("id", flat=True).first() is None or not here.update(
        cursor=to_text(round_.cursor),
        read=F("read") + round_.read,
        recorded=F("recorded") + new,
        current=F("current") + round_.current,
        done=round_.ends_with(new),
    ):
        raise NotRunning


def _is_sound(row: NewExecution, now: datetime) -> bool:
    """Try a row by itself and take it back: one that cannot be recorded must not stop all later ones."""
    fault = ""
    try:
        with held(None):
            ledger.record([row], room={}, now=now)
            transaction.set_rollback(True)
    except ROW_AT_FAULT as error:
        fault = type(error).__name__  # the name alone: the text quotes the document
    if fault:
        log.error("backfill.not_recorded", agent_id=row.agent_id, backfill=row.backfill, error=fault)
    return not fault


def _row(round_: Round, agent: ActiveAgent, key: Key, sequence: int) -> NewExecution:
    database, collection = agent.spec.watch_namespace
    return NewExecution(
        agent_id=agent.agent_id,
        version_id=agent.version_id,
        token=f"{pack_time(round_.time)[:8]}:{round_.backfill_id}:{key.hex()}",
        database=database,
        collection=collection,
        key=value_of(key),
        operation=OPERATION,
        cascade=False,
        event_time=round_.time,
        sequence=sequence,
        priority=agent.spec.execution.priority - BELOW_LIVE,
        coalesce=agent.spec.coalesces,
        backfill=round_.backfill_id,
    )
