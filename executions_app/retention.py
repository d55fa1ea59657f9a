"""Deleting what is old, a little at a time: only what has ended, is counted, and nobody will read again (ADR 0022)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Final, NamedTuple

from executions_app import counting
from executions_app.database import patiently
from executions_app.fence import Term, held
from executions_app.models import Attempt, Execution, StrayMessage
from executions_app.states import DEAD, TERMINAL, Reason, Status

CHUNK: Final = 50
"""Runs that one step looks at: one short transaction, and all that is lost when it is cut off."""

MESSAGES: Final = 500
"""Messages without a run that go in one transaction."""

_ERASED: Final[Mapping[str, object]] = {
    **dict.fromkeys(("system_prompt", "prompt", "reply", "problem"), ""),
    "answer": None,
    "fixes": [],
}


class Fate(Enum):
    """What becomes of a run that has ended."""

    KEEP = "keep"
    ERASE = "erase"
    DELETE = "delete"


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeping:
    """How long after its end something is kept; None is for ever. `texts` are those of runs that cannot run again."""

    executions: timedelta | None = None
    texts: timedelta | None = None
    dead_letters: timedelta | None = None

    @classmethod
    def days(
        cls, *, executions_days: int | None, texts_days: int | None, dead_letters_days: int | None
    ) -> Keeping:
        """Read the settings, which are in days."""
        return cls(
            executions=_age(executions_days), texts=_age(texts_days), dead_letters=_age(dead_letters_days)
        )

    @property
    def shortest(self) -> timedelta | None:
        """The age at which the first thing happens to anything; None if nothing ever does."""
        return min((age for age in (self.executions, self.texts, self.dead_letters) if age), default=None)


class Place(NamedTuple):
    """How far a sweep has come, in the order of ends."""

    time: datetime = counting.BEGINNING
    id: str = ""


START: Final = Place()


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """What one step did, or would do. It goes on at `place`; None says that nothing old is left behind it."""

    place: Place | None
    runs: int = 0
    dead_letters: int = 0
    texts: int = 0


class _Row(NamedTuple):
    id: str
    completed_at: datetime
    status: str
    reason: str
    subject: str


def _age(days: int | None) -> timedelta | None:
    return None if days is None else timedelta(days=days)


def fate(status: str, age: timedelta, keeping: Keeping) -> Fate:
    """Decide by how a run ended and how long ago. A dead letter may run again, so its texts stay with it."""
    if status in DEAD:
        return Fate.DELETE if keeping.dead_letters and age >= keeping.dead_letters else Fate.KEEP
    if keeping.executions and age >= keeping.executions:
        return Fate.DELETE
    return Fate.ERASE if keeping.texts and age >= keeping.texts else Fate.KEEP


def step(
    place: Place, keeping: Keeping, *, now: datetime, term: Term | None = None, dry_run: bool = False
) -> Swept:
    """Go on from a place by at most CHUNK runs. Raises Django's database errors, and Fenced."""
    shortest, counted = keeping.shortest, counting.final_before()
    if shortest is None or counted is None:
        return Swept(place=None)
    old = min(now - shortest, counted)
    rows = _rows(place, old)
    fates = {row.id: fate(row.status, now - row.completed_at, keeping) for row in rows}
    needed = _needed(rows)
    doomed = [row for row in rows if fates[row.id] is Fate.DELETE and row.id not in needed]
    bared = [row.id for row in rows if fates[row.id] is Fate.ERASE and row.id not in needed]
    bare = Attempt.objects.filter(execution_id__in=bared, prompt__gt="")
    deleted: Collection[str] = [row.id for row in doomed]
    if dry_run:
        texts = bare.count()
    else:
        with patiently(), held(term):
            deleted = _delete(doomed, old)
            texts = bare.update(**_ERASED)
    failed = sum(row.status in DEAD for row in doomed if row.id in deleted)
    following = Place(rows[-1].completed_at, rows[-1].id) if len(rows) == CHUNK else None
    return Swept(place=following, runs=len(deleted) - failed, dead_letters=failed, texts=texts)


def delete_messages(
    keeping: Keeping, *, now: datetime, term: Term | None = None, dry_run: bool = False
) -> int:
    """Delete messages without a run, as old as dead letters may be since they were read last; returns how many.

    At most MESSAGES at a time; a dry run counts all. Raises Django's database errors, and Fenced.
    """
    if keeping.dead_letters is None:
        return 0
    old = StrayMessage.objects.filter(last_seen_at__lte=now - keeping.dead_letters)
    if dry_run:
        return old.count()
    with patiently(), held(term):
        ids = list(old.order_by("id").select_for_update().values_list("id", flat=True)[:MESSAGES])
        StrayMessage.objects.filter(id__in=ids).only("id").delete()
    return len(ids)


def _rows(place: Place, old: datetime) -> list[_Row]:
    rows = counting.ended_after(*place).filter(completed_at__lt=old).order_by("completed_at", "id")
    return [_Row(*row) for row in rows.values_list(*_Row._fields)[:CHUNK]]


def _needed(rows: Sequence[_Row]) -> set[str]:
    """Name the runs whose answer may still serve another one, and those that have called since they were counted."""
    superseded = {row.id: row.subject for row in rows if row.reason == Reason.SUPERSEDED}
    # An heir is a run of the same document; one that has failed may be asked to run again.
    heirs = Execution.objects.filter(subject__in=set(superseded.values()), predecessor__in=superseded)
    inherited = heirs.exclude(status__in=(Status.COMPLETED, Status.SKIPPED)).values_list(
        "predecessor", flat=True
    )
    return set(inherited) | counting.uncounted_among([row.id for row in rows])


def _delete(doomed: Sequence[_Row], old: datetime) -> set[str]:
    """Delete those that still stand where they stood: a dead letter may have been asked to run again meanwhile."""
    ended = Execution.objects.filter(
        id__in=[row.id for row in doomed], status__in=TERMINAL, completed_at__lt=old
    )
    locked = set(ended.order_by("id").select_for_update().values_list("id", flat=True))
    Attempt.objects.filter(execution_id__in=locked).delete()
    Execution.objects.filter(id__in=locked).only("id").delete()
    return locked
