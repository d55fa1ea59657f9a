"""What becomes of a run whose worker died: again, alone before long, or a dead letter (ADR 0016)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain
from typing import Final

from executions_app.models import Execution, WorkerProcess
from executions_app.states import Reason, Status

Company = Mapping[str, Collection[str]]
"""Who fell silent with each dead worker."""

SUSPICIOUS: Final = 2
"""Losses from which on a run is let out by itself: whoever was in its company last time has done its work by then."""

SPACING: Final = timedelta(seconds=1)
LONGEST_SPREAD: Final = timedelta(minutes=1)
"""The last of many suspects waits no longer than this."""


@dataclass(frozen=True, slots=True)
class Orphan:
    """A run whose worker is dead.

    `blamed` says that the worker was not asked to stop, `alone` that no other one fell silent with it unasked.
    """

    id: str
    claim: int
    subject: str
    losses: int
    blamed: bool
    alone: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """The new values of an orphan's row, beside the moment of its end if it is one."""

    status: Status
    reason: Reason
    losses: int
    due_at: datetime
    error_type: str = ""
    error: str = ""


def fates(
    workers: Sequence[str], *, company: Company, most: int, now: datetime
) -> Iterator[tuple[Orphan, Fate]]:
    """Decide about the runs of dead workers. Those of one call have died together, and with their `company`.

    A worker that was asked to stop, by its word or because it took its row away, is no witness against its runs.
    """
    everybody = {*workers, *chain.from_iterable(company.values())}
    unasked = set(WorkerProcess.objects.filter(id__in=everybody, leaving=False).values_list("id", flat=True))
    alone = {worker for worker in workers if not unasked & {*workers, *company.get(worker, ())} - {worker}}
    rows = Execution.objects.filter(status=Status.RUNNING, worker__in=workers)
    orphans = [
        Orphan(id_, claim, subject, losses, worker in unasked, worker in alone)
        for id_, claim, subject, losses, worker in rows.values_list(
            "id", "claim", "subject", "losses", "worker"
        )
    ]
    yield from decide(orphans, most=most, now=now)


def decide(orphans: Sequence[Orphan], *, most: int, now: datetime) -> Iterator[tuple[Orphan, Fate]]:
    """Say what becomes of each: pure.

    1. Each blameless death counts for nothing, each other one for one.
    2. `most` losses in a row make a dead letter, if the last worker died alone: where several die at once the
       cause is outside, and the count stops one short.
    3. Suspects come back one after the other, those with the fewest losses first.
    """
    grown = sorted(
        ((orphan.losses + orphan.blamed, orphan.id, orphan) for orphan in orphans), key=lambda o: o[:2]
    )
    suspects = sum(losses >= SUSPICIOUS for losses, _, _ in grown)
    spacing = min(SPACING, LONGEST_SPREAD / max(1, suspects))
    before = len(grown) - suspects
    for place, (losses, _, orphan) in enumerate(grown):
        if most and losses >= most and orphan.alone and orphan.blamed:
            yield orphan, _poison(losses, now)
            continue
        capped = min(losses, most - 1) if most else losses
        due_at = now + spacing * max(0, place - before)
        yield orphan, Fate(status=Status.PENDING, reason=Reason.RECLAIMED, losses=capped, due_at=due_at)


def _poison(losses: int, now: datetime) -> Fate:
    return Fate(
        status=Status.FAILED,
        reason=Reason.POISON_RUN,
        losses=losses,
        due_at=now,
        error_type=Reason.POISON_RUN,
        error=f"{losses} workers in a row died while they ran it",
    )
