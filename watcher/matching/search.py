"""Which of many documents match a filter, around those that break it."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from pymongo.errors import OperationFailure

from executions_app.filter_fault import is_filter_fault

MOST_QUERIES: Final = 64
"""Per search: enough to find a few documents that break a filter among hundreds."""

Key = TypeVar("Key", bound=Hashable)
Ask = Callable[[Sequence[Key]], frozenset[Key]]
"""Asks the server which of the documents with these keys match."""


class FilterUnusable(Exception):
    """The server refuses the filter itself, whatever the documents are."""


@dataclass(slots=True)
class _Queries:
    left: int = MOST_QUERIES


def matching_keys(ask: Ask[Key], keys: Sequence[Key]) -> frozenset[Key]:
    """Return the keys of documents that match, or break the filter: those fail one by one in a worker.

    Where documents break it, the keys are halved until each of those stands alone, or the queries are used up.
    Raises FilterUnusable with the server's reason, and pymongo's errors for what may pass.
    """
    found = _unless_broken(ask, keys)
    if found is not None:
        return found
    refuse_unusable(ask)
    return _halves(ask, keys, _Queries())


def refuse_unusable(ask: Ask[Key]) -> None:
    """Ask about no document at all. Raises FilterUnusable, and pymongo's errors."""
    try:
        ask([])
    except OperationFailure as error:
        if not is_filter_fault(error):
            raise
        # Asked about no document, so the server's text quotes none.
        raise FilterUnusable(str((error.details or {}).get("errmsg") or error)) from None


def _halves(ask: Ask[Key], keys: Sequence[Key], queries: _Queries) -> frozenset[Key]:
    if len(keys) == 1:
        return frozenset(keys)
    middle = len(keys) // 2
    return _half(ask, keys[:middle], queries) | _half(ask, keys[middle:], queries)


def _half(ask: Ask[Key], keys: Sequence[Key], queries: _Queries) -> frozenset[Key]:
    if queries.left <= 0:
        return frozenset(keys)
    queries.left -= 1
    found = _unless_broken(ask, keys)
    return _halves(ask, keys, queries) if found is None else found


def _unless_broken(ask: Ask[Key], keys: Sequence[Key]) -> frozenset[Key] | None:
    """Return what matches, or None where a document breaks the filter."""
    try:
        return ask(keys)
    except OperationFailure as error:
        if not is_filter_fault(error):
            raise
    return None
