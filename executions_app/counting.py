"""Counting what has ended, exactly once, behind the work and without any part in it (ADR 0021).

A time is announced first; from then on nothing ends before it (`executions_app.ending`). Once all who did not know of
it have committed, what ended before is on record for good, and is counted in the order of the ends, the place reached
and the sums in one transaction. Nobody else writes either.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any, Final

from django.db import connection
from django.db.models import BooleanField, Max, QuerySet
from django.db.models.expressions import RawSQL

from executions_app import totals
from executions_app.fence import Fenced, Term, held
from executions_app.model_tally import ModelCall, ModelTally
from executions_app.models import Attempt, Execution, HourTally, TallyCursor
from executions_app.tally import Call, End, Tally
from executions_app.tally_rows import COLUMNS, added

CHUNK: Final = 2_000
"""Ends or calls that one step counts."""

CLOCKS_APART: Final = timedelta(seconds=10)
"""The time announced is so long ago: a worker whose clock is slower by less ends its runs when it says."""

ANNOUNCED_APART: Final = timedelta(seconds=15)
"""The least between two times announced, so that a busy fleet is not counted without a pause."""

BEGINNING: Final = datetime(2000, 1, 1, tzinfo=UTC)

Key = tuple[datetime, str]


@dataclass(frozen=True, slots=True)
class Counted:
    """What one step did. `more` says that there is something to count at once; sums are by hour and agent."""

    tallies: Mapping[Key, Tally] = field(default_factory=dict)
    more: bool = False


def step(*, slo_ms: float, now: datetime, term: Term | None = None) -> Counted:
    """Count a little, or announce up to when is counted next. Asks two questions when nothing has ended.

    Raises Django's database errors, and Fenced if the term is over; then nothing was counted.
    """
    cursor = TallyCursor.objects.filter(id=TallyCursor.ONLY).first() or _beginning()
    if not _is_closed(cursor):
        return Counted()
    counted = _count_calls(cursor, term) or _count_ends(cursor, slo_ms, term)
    if counted is not None:
        return counted
    return Counted(more=_announce(cursor, now, term))


def waits_for_others() -> bool:
    """Whether nothing is counted for the moment because transactions go on that began before (PostgreSQL)."""
    cursor = TallyCursor.objects.filter(id=TallyCursor.ONLY).first()
    return cursor is not None and not _is_closed(cursor)


def counted_until() -> datetime | None:
    """Tell up to when ends are counted; None before the first time."""
    found = TallyCursor.objects.filter(id=TallyCursor.ONLY).values_list("counted_time", flat=True).first()
    return None if found == BEGINNING else found


def final_before() -> datetime | None:
    """Tell up to when everything that ended is counted, whatever ends yet; None before the first time."""
    cursor = TallyCursor.objects.filter(id=TallyCursor.ONLY).first()
    if cursor is None:
        return None
    waits = _after(cursor).filter(completed_at__lt=cursor.closing).exists()
    return cursor.counted_time if waits or cursor.counted_call < cursor.closing_call else cursor.closing


def uncounted_among(ids: Sequence[str]) -> set[str]:
    """Name the runs among these that have calls which are not counted: of a worker that was given up for dead."""
    counted = (
        TallyCursor.objects.filter(id=TallyCursor.ONLY).values_list("counted_call", flat=True).first() or 0
    )
    late = Attempt.objects.filter(execution_id__in=ids, id__gt=counted)
    return set(late.values_list("execution_id", flat=True))


def _beginning() -> TallyCursor:
    return TallyCursor(id=TallyCursor.ONLY, counted_time=BEGINNING, closing=BEGINNING)


def _is_closed(cursor: TallyCursor) -> bool:
    """Whether all transactions are over that had begun before the time was announced. SQLite has one at a time.

    A statement looks at the ledger a moment before it gets its number, so the caller lets a second pass as well.
    """
    if connection.vendor != "postgresql" or not cursor.closing_transaction:
        return True
    with connection.cursor() as asking:
        asking.execute("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
        oldest: int = asking.fetchone()[0]
    return oldest > cursor.closing_transaction


def _announce(cursor: TallyCursor, now: datetime, term: Term | None) -> bool:
    """Announce a time if anything is on record that is not counted; tell whether that was so."""
    until = now - CLOCKS_APART
    last_call = Attempt.objects.aggregate(last=Max("id"))["last"] or 0
    ended = _after(cursor).filter(completed_at__lt=until).exists()
    if (last_call <= cursor.counted_call and not ended) or until - cursor.closing < ANNOUNCED_APART:
        return False
    with held(term):
        held_cursor = _take(cursor)
        held_cursor.closing = until
        held_cursor.closing_transaction = _this_transaction()
        # Read again under the lock: a call is on record before its run's end is, and that may be news by now.
        held_cursor.closing_call = Attempt.objects.aggregate(last=Max("id"))["last"] or 0
        held_cursor.save()
    return True


def _count_calls(cursor: TallyCursor, term: Term | None) -> Counted | None:
    calls = Attempt.objects.filter(id__gt=cursor.counted_call, id__lte=cursor.closing_call).order_by("id")
    rows = list(
        calls.values_list(
            "id",
            "started_at",
            "execution__agent_id",
            "prompt_tokens",
            "completion_tokens",
            "cost_nanousd",
            "provider",
            "model",
            "outcome",
            "latency_ms",
        )[:CHUNK]
    )
    if not rows:
        return None
    tallies: defaultdict[Key, Tally] = defaultdict(Tally)
    models: defaultdict[tuple[str, str], ModelTally] = defaultdict(ModelTally)
    for _, started_at, agent_id, asked, answered, cost, provider, model, outcome, took in rows:
        tallies[_hour(started_at), agent_id].count_call(Call(tokens=asked + answered, cost_nanousd=cost))
        models[provider, model].count(ModelCall(outcome, took, asked, answered, cost))
    _keep(cursor, tallies, {"counted_call": rows[-1][0]}, term, models)
    return Counted(tallies, more=True)


def _count_ends(cursor: TallyCursor, slo_ms: float, term: Term | None) -> Counted | None:
    rows = _ends(cursor)
    if not rows:
        return None
    tallies: defaultdict[Key, Tally] = defaultdict(Tally)
    for agent_id, end in ((row[1], _end(row)) for row in rows):
        tallies[_hour(end.completed_at), agent_id].count_end(end, slo_ms=slo_ms)
    last = rows[-1]
    _keep(cursor, tallies, {"counted_time": last[7], "counted_id": last[0]}, term)
    return Counted(tallies, more=True)


def _ends(cursor: TallyCursor) -> Sequence[tuple[Any, ...]]:
    rows = _after(cursor).filter(completed_at__lt=cursor.closing).order_by("completed_at", "id")
    return list(
        rows.values_list(
            "id", "agent_id", "status", "reason", "created_at", "due_at", "started_at", "completed_at"
        )[:CHUNK]
    )


def _end(row: tuple[Any, ...]) -> End:
    _, _, status, reason, created_at, due_at, started_at, completed_at = row
    return End(
        status=status,
        reason=reason,
        created_at=created_at,
        due_at=due_at,
        started_at=started_at,
        completed_at=completed_at,
    )


def _after(cursor: TallyCursor) -> QuerySet[Execution]:
    return ended_after(cursor.counted_time, cursor.counted_id)


def ended_after(time: datetime, id_: str) -> QuerySet[Execution]:
    """Return the runs that ended later than a place in the index `execution_ended`: a time, and an id within it.

    Compared as a pair, so that any number of runs that ended at once is walked like all others.
    """
    moment = connection.ops.adapt_datetimefield_value(time)
    beyond = RawSQL("(completed_at, id) > (%s, %s)", (moment, id_), output_field=BooleanField())
    return Execution.objects.filter(beyond, completed_at__isnull=False)


def _keep(
    cursor: TallyCursor,
    tallies: Mapping[Key, Tally],
    place: Mapping[str, Any],
    term: Term | None,
    models: Mapping[tuple[str, str], ModelTally] = MappingProxyType({}),
) -> None:
    """Add sums to what is kept, and move the cursor, or do neither."""
    with held(term):
        held_cursor = _take(cursor)
        hours, agents = {hour for hour, _ in tallies}, {agent for _, agent in tallies}
        known = HourTally.objects.filter(hour__in=hours, agent_id__in=agents)
        kept = {(row.hour, row.agent_id): row for row in known}
        rows = [added(kept.get(key), key, tally) for key, tally in tallies.items()]
        HourTally.objects.bulk_create(
            rows, update_conflicts=True, unique_fields=["hour", "agent"], update_fields=COLUMNS
        )
        totals.add(tallies, models)
        for name, value in place.items():
            setattr(held_cursor, name, value)
        held_cursor.save()


def _take(cursor: TallyCursor) -> TallyCursor:
    """Lock the cursor and make sure that it stands where it was read. Raises Fenced: then somebody else counts."""
    names = [column.attname for column in cursor._meta.fields]  # noqa: SLF001  # Django documents it for this
    seen = {name: getattr(cursor, name) for name in names}
    found, _ = TallyCursor.objects.select_for_update().get_or_create(id=TallyCursor.ONLY, defaults=seen)
    if any(getattr(found, name) != value for name, value in seen.items()):
        raise Fenced(name="tally cursor")
    return found


def _this_transaction() -> int:
    if connection.vendor != "postgresql":
        return 0
    with connection.cursor() as asking:
        asking.execute("SELECT pg_current_xact_id()::text::bigint")
        number: int = asking.fetchone()[0]
    return number


def _hour(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
