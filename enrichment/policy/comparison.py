"""How the values of documents and answers compare in policy conditions.

Dates, ids and the other types of BSON compare as the texts that templates see; all numbers compare as
numbers. Null is neither more nor less than anything. Different kinds are never equal, and putting them in
order is an error.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final

from bson.decimal128 import Decimal128

from enrichment.plain import Conversion, to_plain

MAX_VALUES: Final = 10_000  # of a list or object that is compared, and entries of one that is searched


class ConditionError(Exception):
    """The values of a condition cannot be compared."""


def holds(value: object) -> bool:
    """Say whether a value counts as true: not null, false, zero or empty."""
    if isinstance(value, Decimal128):
        return value.to_decimal() != 0
    return bool(value)


def same(left: object, right: object) -> bool:
    """Say whether two values are equal; true and 1 are not."""
    left, right = _comparable(left), _comparable(right)
    if isinstance(left, bool) is not isinstance(right, bool):
        return False
    return left == right


def ordered(left: object, right: object, compare: Callable[[Any, Any], bool]) -> bool:
    """Compare two numbers or two texts; nothing holds for null. Raises ConditionError for other kinds."""
    left, right = _comparable(left), _comparable(right)
    if left is None or right is None:
        return False
    kinds = (_kind(left), _kind(right))
    if kinds not in (("number", "number"), ("text", "text")):
        raise ConditionError(f"cannot compare {kinds[0]} with {kinds[1]}")
    return bool(compare(left, right))


def contains(container: object, value: object) -> bool:
    """Say whether a list holds a value, a text a text, an object a field; null holds nothing."""
    if container is None:
        return False
    if isinstance(container, list | tuple):
        if len(container) > MAX_VALUES:
            raise ConditionError(f"the list has more than {MAX_VALUES:,} entries to look through")
        return any(same(item, value) for item in container)
    if isinstance(container, Mapping):
        return isinstance(value, str) and value in container
    text = _comparable(container)
    if isinstance(text, str) and isinstance(value, str):
        return value in text
    if isinstance(text, str) and value is None:
        return False
    raise ConditionError(f"cannot look for {_kind(_comparable(value))} in {_kind(text)}")


def _comparable(value: object) -> object:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Decimal128):
        return value.to_decimal()
    return to_plain(value, Conversion(MAX_VALUES))


def _kind(value: object) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float | Decimal):
        return "number"
    if isinstance(value, str):
        return "text"
    if value is None:
        return "null"
    return "list" if isinstance(value, list) else "object"
