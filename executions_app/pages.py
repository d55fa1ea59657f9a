"""Parts of the ledger, newest first, with as much of a total as can be told at once."""

from __future__ import annotations

import heapq
from collections.abc import Collection
from dataclasses import dataclass, replace
from itertools import chain
from typing import Final

from django.db.models import QuerySet

from executions_app.listing import Wanted, is_longer_than_reach, narrowed
from executions_app.models import Execution
from executions_app.queries import listed

COUNTED: Final = 10_000
"""Rows that are counted; of a longer list it is told that it has more."""

_NEWEST: Final = ("-created_at", "-sequence")


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list. `total` is how many rows there are, or that many at least."""

    rows: list[Execution]
    total: int
    is_exact: bool


def page(wanted: Wanted, start: int, end: int, *, only: Collection[str] | None = None) -> Page:
    """Return a part of what is wanted; with `only` of these agents alone."""
    if only is None or wanted.agent_id is not None:
        base = narrowed(Execution.objects.all(), wanted)
        rows = list(listed(base).order_by(*_NEWEST)[start:end])
        return Page(rows, *_total([base], wanted))
    # Agent by agent: no index has several agents' rows in order, so the whole ledger would be gone through.
    bases = [narrowed(Execution.objects.all(), replace(wanted, agent_id=agent)) for agent in sorted(only)]
    places = (base.order_by(*_NEWEST).values_list("created_at", "sequence", "id")[:end] for base in bases)
    ids = [id_ for _, _, id_ in heapq.nlargest(end, chain.from_iterable(places))[start:]]
    found = {row.pk: row for row in listed(Execution.objects.filter(id__in=ids))}
    return Page([found[id_] for id_ in ids if id_ in found], *_total(bases, wanted))


def _total(bases: list[QuerySet[Execution]], wanted: Wanted) -> tuple[int, bool]:
    # In no order: to keep one, SQLite would walk the whole ledger for the few rows of a filter.
    # By a column that every index of a list has: for another one each row would be looked at.
    total = sum(base.order_by().values("agent_id")[: COUNTED + 1].count() for base in bases)
    is_exact = total <= COUNTED and not (wanted.has_limits and is_longer_than_reach())
    return min(total, COUNTED), is_exact
