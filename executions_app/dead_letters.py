"""Dead letters: runs that failed for good and messages that nobody understands, found and listed as one thing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from heapq import merge
from itertools import islice
from operator import itemgetter
from typing import ClassVar, Final

from django.db.models import BooleanField, Count, Exists, OuterRef, Q, QuerySet
from django.db.models.expressions import RawSQL

from agents_app.errors import Decision, MongoClawError
from executions_app import queries
from executions_app.models import Discard, Execution, Requeue, StrayMessage
from executions_app.queries import SHORTEST_PREFIX, ExecutionNotFound, listed
from executions_app.states import DEAD, Status

CHUNK: Final = 500
"""Letters that are read, or changed in one transaction, at a time."""

MOST_KINDS: Final = 200
"""Pairs of agent and reason that are counted apart; the others are summed up."""

OTHERS: Final = "(others)"
NO_AGENT: Final = ""


class DeadLetterNotFound(MongoClawError):
    """There is no such dead letter."""

    decision: ClassVar[Decision] = Decision.PERMANENT
    code: ClassVar[str] = "dead_letter_not_found"


class DeadLetterAmbiguous(MongoClawError):
    """Several dead letters begin with this."""

    decision: ClassVar[Decision] = Decision.PERMANENT
    code: ClassVar[str] = "dead_letter_ambiguous"


class Kind(StrEnum):
    """What a dead letter is."""

    RUN = "run"
    MESSAGE = "message"


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which dead letters are meant; what is empty does not matter.

    `since` and `until` are of the moment when the letter died, the second excluded. `text` is the beginning of an id or
    of a document's `_id`, or a part of the error. `archived` means those that were discarded instead of the others.
    `visible` are the agents that whoever asks may see, None for all; messages belong to no agent.
    """

    agent_id: str = ""
    reason: str = ""
    kind: Kind | None = None
    database: str = ""
    collection: str = ""
    since: datetime | None = None
    until: datetime | None = None
    text: str = ""
    archived: bool = False
    visible: frozenset[str] | None = None

    @property
    def status(self) -> Status:
        """The status of what is meant."""
        return Status.DISCARDED if self.archived else Status.FAILED


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A dead letter in a list: a run or a message, and why it was put aside if it was."""

    letter: Execution | StrayMessage
    discard: Discard | None = None

    @property
    def id(self) -> str:
        """Its id."""
        return str(self.letter.pk)

    @property
    def kind(self) -> Kind:
        """What it is."""
        return Kind.RUN if isinstance(self.letter, Execution) else Kind.MESSAGE

    @property
    def died_at(self) -> datetime:
        """When the run ended, or the message was read last."""
        return _died_at(self.letter)


def newest(wanted: Filter, *, skip: int = 0, limit: int) -> list[DeadLetter]:
    """List dead letters, newest first, without long texts. Neither table is read further than needed.

    First the ids, from an index alone: joined with their agents, rows would be sorted before they are cut.
    """
    most = skip + limit
    ended = runs(wanted).order_by("-completed_at", "id").values_list("completed_at", "id")[:most]
    read = messages(wanted).order_by("-last_seen_at", "id").values_list("last_seen_at", "id")[:most]
    both = merge(ended, read, key=itemgetter(0), reverse=True)
    ids = [id_ for _, id_ in islice(both, skip, most)]
    return _letters(ids, listed(Execution.objects.all()))


def _letters(ids: Sequence[str], rows: QuerySet[Execution]) -> list[DeadLetter]:
    """Read letters in the order of their ids."""
    found: dict[str, Execution | StrayMessage] = {row.pk: row for row in rows.filter(id__in=ids)}
    found |= {row.pk: row for row in StrayMessage.objects.filter(id__in=ids)}
    return _with_discards([found[id_] for id_ in ids if id_ in found])


def every(wanted: Filter) -> Iterator[DeadLetter]:
    """Go through all dead letters that are meant, oldest first, a chunk at a time and with all their texts."""
    rows = Execution.objects.select_related("version")
    for ids in chunks(runs(wanted), "completed_at"):
        yield from _letters(ids, rows)
    for ids in chunks(messages(wanted), "last_seen_at"):
        yield from _letters(ids, rows.none())


def runs(wanted: Filter) -> QuerySet[Execution]:
    """Select the runs among the dead letters that are meant."""
    rows = Execution.objects.filter(status=wanted.status)
    if wanted.kind is Kind.MESSAGE:
        return rows.none()
    equal = {
        "agent_id": wanted.agent_id,
        "reason": wanted.reason,
        "database": wanted.database,
        "collection": wanted.collection,
        "completed_at__gte": wanted.since,
        "completed_at__lt": wanted.until,
    }
    rows = rows.filter(**{name: value for name, value in equal.items() if value})
    if wanted.visible is not None:
        rows = rows.filter(agent_id__in=wanted.visible)
    return with_text(rows, wanted.text) if wanted.text else rows


def with_text(rows: QuerySet[Execution], text: str) -> QuerySet[Execution]:
    """Keep the runs whose id or document's `_id` begins with a text, or whose error has it."""
    return rows.filter(
        Q(id__startswith=text.lower()) | Q(document_id__startswith=text) | Q(error__icontains=text)
    )


def messages(wanted: Filter) -> QuerySet[StrayMessage]:
    """Select the messages among the dead letters that are meant; they have no agent and no collection."""
    rows = StrayMessage.objects.filter(status=wanted.status)
    if wanted.kind is Kind.RUN or wanted.agent_id or wanted.database or wanted.collection:
        return rows.none()
    if wanted.visible is not None:
        return rows.none()
    equal = {
        "reason": wanted.reason,
        "last_seen_at__gte": wanted.since,
        "last_seen_at__lt": wanted.until,
    }
    rows = rows.filter(**{name: value for name, value in equal.items() if value})
    if wanted.text:
        text = wanted.text
        rows = rows.filter(
            Q(id__startswith=text.lower())
            | Q(task__icontains=text)
            | Q(error__icontains=text)
            | Q(excerpt__icontains=text)
        )
    return rows


def count(wanted: Filter) -> int:
    """Count the dead letters that are meant."""
    return runs(wanted).count() + messages(wanted).count()


def find(id_or_prefix: str, *, once: bool = False) -> DeadLetter:
    """Find a dead letter, discarded or not, by its id or the beginning of it.

    With `once` also a run that was one until somebody let it run again. Raises DeadLetterNotFound, DeadLetterAmbiguous.
    """
    text = id_or_prefix.strip().lower()
    if len(text) < SHORTEST_PREFIX or not text.isalnum():
        raise DeadLetterNotFound(
            f"Dead letter '{id_or_prefix}' not found; give its id, or its first {SHORTEST_PREFIX} or more"
        )
    dead, like = Q(status__in=DEAD), Q(id__gte=text, id__lt=text + "g")
    was_dead = Exists(Requeue.objects.filter(execution=OuterRef("pk")))
    rows = Execution.objects.select_related("agent", "version").filter(
        dead | was_dead if once else dead, like
    )
    found: list[Execution | StrayMessage] = [*rows[:2], *StrayMessage.objects.filter(dead, like)[:2]]
    if not found:
        raise DeadLetterNotFound(f"Dead letter '{id_or_prefix}' not found")
    if len(found) > 1:
        raise DeadLetterAmbiguous(f"Several dead letters begin with '{id_or_prefix}'; give more characters")
    return _with_discards(found)[0]


def meant(id_or_prefix: str) -> str:
    """Give the id of the letter that is meant, or of a run that is none any more: whoever was interrupted asks again.

    Raises DeadLetterNotFound, DeadLetterAmbiguous, ExecutionAmbiguous.
    """
    try:
        return find(id_or_prefix).id
    except DeadLetterNotFound as missing:
        try:
            return queries.find(id_or_prefix).pk
        except ExecutionNotFound:
            raise missing from None


def all_meant(given: Sequence[str]) -> tuple[str, ...]:
    """Give the ids of several, as `meant` does; whole ids are looked up together. Raises as `meant` does."""
    whole: set[str] = set()
    for start in range(0, len(given), CHUNK):
        asked = [id_.strip().lower() for id_ in given[start : start + CHUNK]]
        for rows in (Execution.objects.all(), StrayMessage.objects.all()):
            whole |= set(rows.filter(id__in=asked).values_list("id", flat=True))
    tidy = ((id_, id_.strip().lower()) for id_ in given)
    return tuple(id_ if id_ in whole else meant(as_given) for as_given, id_ in tidy)


def put_aside(ids: Sequence[str]) -> set[str]:
    """Tell which of these letters are discarded."""
    aside = {"id__in": ids, "status": Status.DISCARDED}
    return {
        id_
        for rows in (Execution.objects.all(), StrayMessage.objects.all())
        for id_ in (rows.filter(**aside).values_list("id", flat=True) if ids else ())
    }


def discarded_at(ids: Sequence[str]) -> dict[str, datetime]:
    """Tell since when those of these letters that are discarded are."""
    if not ids:
        return {}
    in_force = Discard.objects.filter(Q(execution__in=ids) | Q(message__in=ids), restored_at=None)
    return {str(one.execution_id or one.message_id): one.at for one in in_force}


def counts() -> dict[tuple[str, str], int]:
    """Count dead letters by agent and reason, from indexes; messages have no agent.

    Beyond 200 pairs the rarest are summed up as those of `(others)`.
    """
    # A status that is a parameter is looked up in every row; written out, the index is known to hold no other.
    failed = RawSQL(""""executions_app_execution"."status" = 'failed'""", (), output_field=BooleanField())
    kinds = Execution.objects.filter(failed).order_by().values_list("agent_id", "reason")
    strays = StrayMessage.objects.filter(status=Status.FAILED).order_by().values_list("reason")
    found = {(agent, reason): number for agent, reason, number in kinds.annotate(number=Count("*"))}
    found |= {(NO_AGENT, reason): number for reason, number in strays.annotate(number=Count("*"))}
    ranked = sorted(found, key=lambda pair: (-found[pair], pair))
    counted = {pair: found[pair] for pair in ranked[:MOST_KINDS]}
    if len(ranked) > MOST_KINDS:
        counted[OTHERS, OTHERS] = sum(found[pair] for pair in ranked[MOST_KINDS:])
    return counted


def chunks(rows: QuerySet[Execution] | QuerySet[StrayMessage], moment: str) -> Iterator[list[str]]:
    """Give the ids of rows in the order of a moment, a chunk at a time, each read when it is asked for.

    Rows that have gone from the selection since are no obstacle, and none is given twice.
    """
    rest: QuerySet[Execution] | QuerySet[StrayMessage] = rows
    while True:
        found = list(rest.order_by(moment, "id").values_list(moment, "id")[:CHUNK])
        if not found:
            return
        at, last = found[-1]
        yield [id_ for _, id_ in found]
        rest = rows.filter(Q(**{f"{moment}__gt": at}) | Q(**{moment: at, "id__gt": last}))


def _died_at(letter: Execution | StrayMessage) -> datetime:
    if isinstance(letter, StrayMessage):
        return letter.last_seen_at
    return letter.completed_at or letter.created_at


def _with_discards(letters: Sequence[Execution | StrayMessage]) -> list[DeadLetter]:
    aside = [letter.pk for letter in letters if letter.status == Status.DISCARDED]
    in_force = Discard.objects.filter(restored_at=None)
    found = in_force.filter(Q(execution__in=aside) | Q(message__in=aside)) if aside else ()
    discards = {discard.execution_id or discard.message_id: discard for discard in found}
    return [DeadLetter(letter, discards.get(letter.pk)) for letter in letters]
