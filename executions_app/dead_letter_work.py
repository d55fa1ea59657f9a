"""Working off dead letters: many at a time, in bounded transactions, so that whoever is interrupted asks again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from django.db.models import Max

from executions_app import dead_letter_transitions as moves
from executions_app import dead_letters
from executions_app.dead_letters import CHUNK, Filter, chunks, messages, runs
from executions_app.models import Execution
from executions_app.states import Reason, Slot, Status

EXAMPLES: Final = 20
"""Letters that a report names for each cause; of the others it tells the number."""

SLOWEST: Final = 0.0001
"""Letters a second, the least: a thousand of them would wait for four months."""

A_MOMENT: Final = timedelta(seconds=1)


class Left(StrEnum):
    """Why a dead letter was left as it was."""

    NEWER_RUN = "newer_run"
    AGENT_DELETED = "agent_deleted"
    MESSAGE = "message"
    DISCARDED = "discarded"
    ALREADY_DISCARDED = "already_discarded"
    NOT_DISCARDED = "not_discarded"
    CHANGED = "changed"


LEFT_MEANINGS: Final[dict[Left, str]] = {
    Left.NEWER_RUN: "a newer run of the same document waits and does the work",
    Left.AGENT_DELETED: "the agent was deleted",
    Left.MESSAGE: "it is a message, not a run: nobody knows what to run",
    Left.DISCARDED: "it was put aside: bring it back first",
    Left.ALREADY_DISCARDED: "already discarded",
    Left.NOT_DISCARDED: "it is not put aside",
    Left.CHANGED: "it is no dead letter: it was run again before, or somebody else was quicker",
}


@dataclass(slots=True)
class Report:
    """What became of dead letters. `last_due_at` is when the last one may start, where there is a rate.

    `discarded_at` says of the examples that were put aside since when they are.
    """

    moved: int = 0
    left: Counter[Left] = field(default_factory=Counter)
    examples: dict[Left, list[str]] = field(default_factory=dict)
    more: bool = False
    last_due_at: datetime | None = None
    discarded_at: dict[str, datetime] = field(default_factory=dict)

    def leave(self, cause: Left, ids: Sequence[str]) -> None:
        """Note letters that stayed."""
        if ids:
            self.left[cause] += len(ids)
            known = self.examples.setdefault(cause, [])
            known += ids[: EXAMPLES - len(known)]

    def leave_aside(self, cause: Left, ids: Sequence[str]) -> None:
        """Note letters that stayed because they are put aside, and since when."""
        self.leave(cause, ids)
        shown = [id_ for id_ in self.examples.get(cause, ()) if id_ not in self.discarded_at]
        self.discarded_at |= dead_letters.discarded_at(shown)


Tell = Callable[[Report], None]
"""Is called with the report as it grows, after each chunk."""


def silent(report: Report) -> None:
    """Tell nobody."""


ALL: Final = Filter()


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which dead letters are meant: those with these ids, or all that a filter means. At most so many move."""

    ids: tuple[str, ...] = ()
    wanted: Filter = ALL
    limit: int | None = None


@dataclass(slots=True)
class Pacing:
    """Gives away moments: `rate` rows become due together each second, or one each longer while."""

    start: datetime
    rate: float | None
    _given: int = 0

    def moments(self, ids: Sequence[str]) -> dict[str, datetime]:
        """Give each row its moment."""
        return {id_: self._next() for id_ in ids}

    def _next(self) -> datetime:
        if self.rate is None:
            return self.start
        size = max(1, int(self.rate))
        slot = self._given // size
        self._given += 1
        return self.start + timedelta(seconds=slot * size / self.rate)


def requeue(
    selection: Selection,
    *,
    by: str,
    rate: float | None = None,
    request_id: str | None = None,
    now: datetime,
    tell: Tell = silent,
) -> Report:
    """Let dead letters run again, at once or at most `rate` a second, those that died first before the others.

    With a rate they queue up behind those that an earlier call has let wait, so that a second call, after an
    interruption too, does not double it. Raises Django's database errors; what moved until then stays moved.
    """
    report = Report()
    pacing = Pacing(_start(selection, now) if rate else now, rate)
    for ids, are_runs in _selected(selection, report, now, tell):
        if not are_runs:
            report.leave(Left.MESSAGE, ids)
            continue
        due = pacing.moments(_free(ids, report))
        moved = set(moves.requeue(due, by=by, request_id=request_id, now=now))
        report.moved += len(moved)
        report.last_due_at = max((due[id_] for id_ in moved), default=report.last_due_at)
        _leave_behind([id_ for id_ in due if id_ not in moved], report)
    return report


def discard(selection: Selection, *, by: str, why: str, now: datetime, tell: Tell = silent) -> Report:
    """Put dead letters aside, with who, when and why. Raises Django's database errors."""

    def leave(ids: list[str], report: Report) -> None:
        aside = dead_letters.put_aside(ids)
        report.leave_aside(Left.ALREADY_DISCARDED, [id_ for id_ in ids if id_ in aside])
        report.leave(Left.CHANGED, [id_ for id_ in ids if id_ not in aside])

    return _each(selection, lambda ids: moves.discard(ids, by=by, why=why, now=now), leave, now, tell)


def restore(selection: Selection, *, by: str, now: datetime, tell: Tell = silent) -> Report:
    """Bring discarded dead letters back. Raises Django's database errors."""
    archived = replace(selection, wanted=replace(selection.wanted, archived=True))

    def leave(ids: list[str], report: Report) -> None:
        report.leave(Left.NOT_DISCARDED, ids)

    return _each(archived, lambda ids: moves.restore(ids, by=by, now=now), leave, now, tell)


def _each(
    selection: Selection,
    move: Callable[[Sequence[str]], list[str]],
    leave: Callable[[list[str], Report], None],
    now: datetime,
    tell: Tell,
) -> Report:
    report = Report()
    for ids, _ in _selected(selection, report, now, tell):
        moved = set(move(ids))
        report.moved += len(moved)
        leave([id_ for id_ in ids if id_ not in moved], report)
    return report


def _selected(
    selection: Selection, report: Report, now: datetime, tell: Tell
) -> Iterator[tuple[list[str], bool]]:
    """Give the ids that are meant, a chunk at a time, and whether they are runs; notes where the limit cut.

    Only what moves counts against the limit: letters that must stay would keep those behind them for ever.
    Nothing that dies after the last one on record: a run that fails again at once would be met again and again.
    """
    for ids, are_runs in _chosen(selection) if selection.ids else _found(selection.wanted, now):
        rest = ids
        while rest:
            room = len(rest) if selection.limit is None else selection.limit - report.moved
            if room <= 0:
                report.more = True
                return
            part, rest = rest[:room], rest[room:]
            yield part, are_runs
            tell(report)


def _chosen(selection: Selection) -> Iterator[tuple[list[str], bool]]:
    known = set(Execution.objects.filter(id__in=selection.ids).values_list("id", flat=True))
    for start in range(0, len(selection.ids), CHUNK):
        part = selection.ids[start : start + CHUNK]
        yield [id_ for id_ in part if id_ in known], True
        yield [id_ for id_ in part if id_ not in known], False


def _found(wanted: Filter, now: datetime) -> Iterator[tuple[list[str], bool]]:
    # The clock by which a letter died may be ahead of ours.
    last = Execution.objects.filter(status=wanted.status).aggregate(last=Max("completed_at"))["last"]
    end = max(now, last or now) + timedelta(microseconds=1)
    until = replace(wanted, until=end if wanted.until is None else min(wanted.until, end))
    for ids in chunks(runs(until), "completed_at"):
        yield ids, True
    for ids in chunks(messages(until), "last_seen_at"):
        yield ids, False


def _start(selection: Selection, now: datetime) -> datetime:
    """Tell when the first may start: after the last that an earlier call has let wait."""
    waiting = Execution.objects.filter(status=Status.PENDING, reason=Reason.REQUEUED)
    if selection.wanted.agent_id:
        waiting = waiting.filter(agent_id=selection.wanted.agent_id)
    last = waiting.aggregate(last=Max("due_at"))["last"]
    return now if last is None or last < now else last + A_MOMENT


def _free(ids: Sequence[str], report: Report) -> list[str]:
    """Sort out those that cannot run: of one document the newest may."""
    failed = Execution.objects.filter(id__in=ids, status=Status.FAILED)
    rows = list(failed.values_list("id", "subject", "coalesces", "agent__archived_at"))
    waiting = set(
        Execution.objects.filter(
            subject__in={subject for _, subject, coalesces, _ in rows if coalesces}, slot=Slot.WAITING
        ).values_list("subject", flat=True)
    )
    place = {id_: number for number, id_ in enumerate(ids)}
    free: list[str] = []
    for id_, subject, coalesces, archived_at in sorted(rows, key=lambda row: -place[row[0]]):
        if archived_at is not None:
            report.leave(Left.AGENT_DELETED, [id_])
        elif coalesces and subject in waiting:
            report.leave(Left.NEWER_RUN, [id_])
        else:
            free.append(id_)
            if coalesces:
                waiting.add(subject)
    known = {row[0] for row in rows}
    _leave_gone([id_ for id_ in ids if id_ not in known], report)
    return free[::-1]


def _leave_gone(ids: Sequence[str], report: Report) -> None:
    """Note rows that are no dead letters, or were put aside."""
    aside = dead_letters.put_aside(ids)
    report.leave_aside(Left.DISCARDED, [id_ for id_ in ids if id_ in aside])
    report.leave(Left.CHANGED, [id_ for id_ in ids if id_ not in aside])


def _leave_behind(ids: Sequence[str], report: Report) -> None:
    """Note rows that another transaction was quicker with."""
    still = set(Execution.objects.filter(id__in=ids, status=Status.FAILED).values_list("id", flat=True))
    report.leave(Left.NEWER_RUN, [id_ for id_ in ids if id_ in still])
    report.leave(Left.CHANGED, [id_ for id_ in ids if id_ not in still])
