"""Fencing: whoever led under an earlier term writes nothing into the ledger any more.

A lease alone does not keep a leader from writing that was paused and does not know yet that another one leads.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar, Final

from django.db import connection, transaction

from agents_app.errors import Decision, MongoClawError
from executions_app.database import write_turn
from executions_app.models import Leadership

SILENCE_SECONDS: Final = 4
"""A leader that falls silent inside a transaction (a paused machine) would keep its successor from beginning: after
so long PostgreSQL ends its connection. Nobody waits in there for anything but the database."""


class Fenced(MongoClawError):
    """A newer leader has taken over; this process must stop what it leads."""

    decision: ClassVar[Decision] = Decision.PERMANENT
    code: ClassVar[str] = "fenced"


@dataclass(frozen=True, slots=True)
class Term:
    """A leader's mandate: for what it leads, and the number that grows with each change of leader."""

    name: str
    number: int


def begin(term: Term) -> None:
    """Make the ledger know the term, before anything is written under it.

    Raises Fenced if it knows a later one, and Django's database errors.
    """
    with write_turn(), transaction.atomic():
        _bound_silence()
        Leadership.objects.get_or_create(name=term.name)
        begun = Leadership.objects.filter(name=term.name, term__lte=term.number).update(term=term.number)
        if not begun:
            raise Fenced(name=term.name, term=term.number)


def highest(name: str) -> int:
    """Return the latest term that the ledger knows, or 0."""
    found = Leadership.objects.filter(name=name).values_list("term", flat=True).first()
    return found or 0


def check(term: Term) -> None:
    """Make sure, inside a transaction that writes, that nobody has begun a later term.

    The row is held against a later `begin` until the transaction ends. Raises Fenced.
    """
    # SQLite has taken the whole database for this transaction and ignores the lock.
    rows = Leadership.objects.select_for_update().filter(name=term.name)
    if rows.values_list("term", flat=True).first() != term.number:
        raise Fenced(name=term.name, term=term.number)


@contextmanager
def held(term: Term | None) -> Iterator[None]:
    """Write in one transaction under a term; without one (tests, commands) just in a transaction.

    Raises Fenced; then nothing was written.
    """
    with write_turn(), transaction.atomic():
        if term is not None:
            _bound_silence()
            check(term)
        yield


def _bound_silence() -> None:
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL idle_in_transaction_session_timeout = '{SILENCE_SECONDS}s'")
