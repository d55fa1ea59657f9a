"""Each signed webhook acts once, whichever web process it comes to, and is answered the same each time.

The ledger remembers it, and not Redis: while Redis is away, one would have to choose between taking repetitions and
taking nothing, and what a webhook does goes on record in the ledger anyway.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Final

from django.db import IntegrityError, transaction

from executions_app.database import write_turn
from executions_app.forgetting import forget_oldest
from executions_app.models import Delivery

KEPT: Final = timedelta(days=30)
"""A signature with a time is of no use after minutes; GitHub's has none."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a webhook is answered with."""

    message: str | None
    execution_id: str = ""


@dataclass(frozen=True, slots=True)
class Marked:
    """A webhook as it is told from all others of its route; `mark` is empty where nothing tells it."""

    route: str
    mark: str
    now: datetime

    @property
    def id(self) -> str:
        """The key on record."""
        return blake2b(f"{self.route}\0{self.mark}".encode(), digest_size=16).hexdigest()


def once(marked: Marked, act: Callable[[], Reply]) -> Reply:
    """Act and remember it in one transaction, or return what it was answered with before."""
    if not marked.mark:
        return act()
    try:
        with write_turn(), transaction.atomic():
            known = _known(marked)
            if known is not None:
                return known
            row = _remember(marked, Reply(None))
            reply = act()
            Delivery.objects.filter(id=row.id).update(message=reply.message, execution_id=reply.execution_id)
    except IntegrityError:
        return _known(marked) or Reply(None)
    return reply


def afterwards(marked: Marked, act: Callable[[], Reply]) -> Reply:
    """Do what takes long and can be done twice without harm, and remember it then."""
    known = _known(marked) if marked.mark else None
    if known is not None:
        return known
    reply = act()
    if marked.mark:
        with write_turn():
            Delivery.objects.bulk_create([_row(marked, reply)], ignore_conflicts=True)
    return reply


def forget(*, now: datetime) -> int:
    """Delete what is old, so many at a time; returns how many."""
    old = Delivery.objects.filter(received_at__lt=now - KEPT).order_by("received_at")
    return forget_oldest(old)


def _known(marked: Marked) -> Reply | None:
    found = Delivery.objects.filter(id=marked.id).values_list("message", "execution_id").first()
    return None if found is None else Reply(*found)


def _remember(marked: Marked, reply: Reply) -> Delivery:
    row = _row(marked, reply)
    row.save(force_insert=True)
    return row


def _row(marked: Marked, reply: Reply) -> Delivery:
    return Delivery(
        id=marked.id,
        route=marked.route,
        message=reply.message,
        execution_id=reply.execution_id,
        received_at=marked.now,
    )
