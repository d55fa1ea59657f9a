"""A filter that matches a document only while its inputs are what they were when they were read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bson.decimal128 import Decimal128
from bson.int64 import Int64

_INT32 = range(-(2**31), 2**31)
_PLAIN_NAME = re.compile(r"[^.$\0][^.\0]*")


@dataclass(frozen=True, slots=True)
class ReadState:
    """A document as it was read, and the top-level fields that the prompt used; None means all of it."""

    document: Mapping[str, Any]
    reads: frozenset[str] | None = None


def unchanged(read: ReadState, *, hidden: frozenset[str], whole: bool) -> dict[str, Any]:
    """Return the filter. `hidden` are the fields that are no inputs when the whole document counts.

    Equality is MongoDB's own inside `$expr`: unlike that of a query it does not look into arrays and does not
    take a missing field for null. It takes 1 and 1.0 for equal, so numbers are compared by type as well.
    """
    if whole or read.reads is None:
        return {"$expr": _whole_unchanged(read.document, hidden | {"_id"})}
    conditions: list[dict[str, Any]] = []
    for name in sorted(read.reads):
        conditions += _field_unchanged(read.document, name)
    return {"$expr": {"$and": conditions}} if conditions else {}


def _field_unchanged(document: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    field = _field(name)
    if name not in document:
        return [{"$eq": [{"$type": field}, "missing"]}]
    value = document[name]
    conditions = [{"$eq": [field, {"$literal": value}]}]
    kind = _number_type(value)
    return conditions if kind is None else [*conditions, {"$eq": [{"$type": field}, kind]}]


def _whole_unchanged(document: Mapping[str, Any], hidden: frozenset[str]) -> dict[str, Any]:
    """Compare the list of fields, so that a field that was added counts too."""
    pairs = [{"k": name, "v": value} for name, value in document.items() if name not in hidden]
    inputs = {
        "$filter": {
            "input": {"$objectToArray": "$$ROOT"},
            "cond": {"$not": [{"$in": ["$$this.k", {"$literal": sorted(hidden)}]}]},
        }
    }
    return {"$eq": [inputs, {"$literal": pairs}]}


def _field(name: str) -> Any:
    if _PLAIN_NAME.fullmatch(name):
        return f"${name}"
    return {"$getField": {"field": {"$literal": name}, "input": "$$ROOT"}}


def _number_type(value: object) -> str | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, Int64):
        return "long"
    if isinstance(value, int):
        return "int" if value in _INT32 else "long"
    if isinstance(value, float):
        return "double"
    return "decimal" if isinstance(value, Decimal128) else None
