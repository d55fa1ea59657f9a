"""Which updates count where an agent watches some fields only."""

from __future__ import annotations

import pytest
from bson import Timestamp

from watcher.matching.fields import concerns
from watcher.reading.event import ChangeEvent


def event(operation: str, *changed: str, known: bool = True) -> ChangeEvent:
    names = frozenset(changed) if operation == "update" and known else None
    return ChangeEvent("82", operation, "shop", "orders", 1, Timestamp(5, 1), names, None)


@pytest.mark.parametrize(
    ("field", "changed"),
    [
        ("text", "text"),
        ("text", "text.en"),
        ("text.en", "text"),
        ("text.en", "text.en.title"),
        ("items.name", "items.0.name"),
        ("items.name", "items.12.name.first"),
        ("items.name", "items.3"),
        ("items.name", "items"),
        ("items", "items.0.price"),
        ("matrix.cell", "matrix.0.1.cell"),
        ("items.0.name", "items.0.name"),
        ("items.0", "items"),
        ("years.2024", "years.2024.sum"),
    ],
)
def test_an_update_at_below_or_above_a_watched_field_counts(field: str, changed: str) -> None:
    assert concerns(event("update", "other", changed), [field])


@pytest.mark.parametrize(
    ("field", "changed"),
    [
        ("text", "texts"),
        ("text", "context.text"),
        ("text.en", "text.de"),
        ("items.name", "items.0.price"),
        ("items.name", "name"),
        ("items.0.name", "items.1.name"),
        ("items.0.name", "items.1"),
        ("years.2024", "years.2023"),
        ("text", "0"),
        ("text", "0.text"),
        ("text", "²"),
        ("a.text", "a.².text"),
    ],
)
def test_an_update_elsewhere_does_not(field: str, changed: str) -> None:
    assert not concerns(event("update", "other", changed), [field])


def test_one_of_several_fields_is_enough() -> None:
    assert concerns(event("update", "b.c"), ["a", "b"])


def test_an_update_that_changed_nothing_does_not_count() -> None:
    assert not concerns(event("update"), ["text"])


@pytest.mark.parametrize("operation", ["insert", "replace", "delete"])
def test_whatever_is_no_update_counts(operation: str) -> None:
    assert concerns(event(operation), ["text"])


def test_an_update_of_unknown_fields_counts() -> None:
    assert concerns(event("update", known=False), ["text"])


def test_without_watched_fields_every_update_counts() -> None:
    assert concerns(event("update", "anything"), None)
