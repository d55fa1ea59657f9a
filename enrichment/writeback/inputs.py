"""A filter that matches a document only while its inputs are what they were when they were read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from bson.decimal128 import Decimal128
from bson.int64 import Int64

_MISSING: Final = object()
_INT32 = range(-(2**31), 2**31)
_PLAIN_NAME = re.compile(r"[^.$\0][^.\0]*")


@dataclass(frozen=True, slots=True)
class ReadState:
    """A document as it was read, and the top-level fields that the prompt used; None means all of it."""

    document: Mapping[str, Any] = field(repr=False)
    reads: frozenset[str] | None = None


def unchanged(read: ReadState, *, hidden: frozenset[str], whole: bool) -> dict[str, Any]:
    """Return the filter. `hidden` are the fields that are no inputs when the whole document counts.

    The comparison is that of `$jsonSchema`: alone among MongoDB's it takes no heed of the collection's
    collation, to which `Yes` may equal `yes`. It does not look into arrays either and does not take a missing
    field for null. It takes 1 and 1.0 for equal, so the type of a number is asked for as well.
    """
    closed = whole or read.reads is None
    names = (
        [name for name in read.document if name not in hidden and name != "_id"]
        if closed
        else read.reads or ()
    )
    odd = sorted(name for name in names if not _PLAIN_NAME.fullmatch(name))
    if closed and odd:
        return {"$expr": _whole_unchanged(read.document, hidden | {"_id"})}
    schema = _schema({name: read.document.get(name, _MISSING) for name in sorted(set(names).difference(odd))})
    if closed:
        schema["properties"] = {**{name: {} for name in (*hidden, "_id")}, **schema.get("properties", {})}
        schema["additionalProperties"] = False
    conditions = [condition for name in odd for condition in _field_unchanged(read.document, name)]
    return {
        **({"$jsonSchema": schema} if schema else {}),
        **({"$expr": {"$and": conditions}} if conditions else {}),
    }


def _schema(fields: Mapping[str, Any]) -> dict[str, Any]:
    present = {name: value for name, value in fields.items() if value is not _MISSING}
    missing = [{"required": [name]} for name, value in fields.items() if value is _MISSING]
    parts: dict[str, Any] = {
        "properties": {name: _exactly(value) for name, value in present.items()},
        "required": list(present),
        "not": {"anyOf": missing} if missing else None,
    }
    return {keyword: value for keyword, value in parts.items() if value}


def _exactly(value: object) -> dict[str, Any]:
    kind = _number_type(value)
    return {"enum": [value]} if kind is None else {"enum": [value], "bsonType": kind}


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
