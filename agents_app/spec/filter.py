"""The watch filter: a MongoDB query, written in YAML or JSON with MongoDB's Extended JSON for other types.

`{"$date": "2026-01-31T00:00:00Z"}`, `{"$oid": "…"}`, `{"$numberLong": "…"}` and their like stand for BSON
values. In memory a filter holds those BSON values, ready for `find`; stored and shown, it is Extended JSON.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from typing import Any

from bson import encode, json_util
from bson.errors import BSONError
from bson.json_util import JSONMode, JSONOptions

_FORBIDDEN = {
    "$where": "runs code",
    "$function": "runs code",
    "$accumulator": "runs code",
    "$text": "needs a text index and cannot be asked about single documents",
    "$near": "sorts, so it cannot be asked about single documents; use $geoWithin",
    "$nearSphere": "sorts, so it cannot be asked about single documents; use $geoWithin",
    "$geoNear": "sorts, so it cannot be asked about single documents; use $geoWithin",
}
_TOP_LEVEL = frozenset(
    {"$and", "$or", "$nor", "$expr", "$jsonSchema", "$comment", "$alwaysTrue", "$alwaysFalse", "$sampleRate"}
)
_WRAPPERS = frozenset(
    {"$oid", "$date", "$numberLong", "$numberInt", "$numberDouble", "$numberDecimal", "$uuid", "$binary"}
    | {"$timestamp", "$minKey", "$maxKey", "$regularExpression"}
)
_OPTIONS = JSONOptions(json_mode=JSONMode.RELAXED, tz_aware=True, tzinfo=UTC)


def to_query(value: Any) -> Any:
    """Return the filter with its Extended JSON replaced by BSON values.

    Raises ValueError if a wrapper holds something that it cannot stand for, or BSON cannot hold the result.
    """
    try:
        # There and back, so that a filter is the same fresh from the text and read from the database.
        query = from_extended_json(to_extended_json(from_extended_json(value)))
        encode(query) if isinstance(query, Mapping) else None
    except (BSONError, OverflowError, TypeError) as error:
        raise ValueError(f"cannot be sent to MongoDB: {error}") from error
    return query


def from_extended_json(value: Any) -> Any:
    """Return a value of JSON or YAML with its Extended JSON replaced by BSON values.

    Raises ValueError if a wrapper holds something that it cannot stand for.
    """
    if isinstance(value, Mapping):
        return (
            _unwrap(value)
            if _is_wrapper(value)
            else {key: from_extended_json(item) for key, item in value.items()}
        )
    if isinstance(value, list | tuple):
        return [from_extended_json(item) for item in value]
    if isinstance(value, date) and not isinstance(value, datetime):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    return value


def to_extended_json(value: Any) -> Any:
    """Return the filter with its BSON values replaced by Extended JSON."""
    return json.loads(json_util.dumps(value, json_options=_OPTIONS))


def forbidden(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, str]]:
    """Yield (dotted path, reason) for each operator that a watch filter may not hold, at any depth."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            if key in _FORBIDDEN:
                yield ".".join((*path, key)), f"is not allowed in a filter: it {_FORBIDDEN[key]}"
            yield from forbidden(item, (*path, key))
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from forbidden(item, (*path, str(index)))


def doubtful(value: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield (key, remark) for each top-level operator that we do not know."""
    for key in value:
        if key.startswith("$") and key not in _TOP_LEVEL | _FORBIDDEN.keys():
            yield key, "is not a top-level query operator that we know; MongoDB may refuse it"


def _is_wrapper(value: Mapping[str, Any]) -> bool:
    # Nothing may stand beside it: json_util alone would turn {"$regex": …, "$nin": […]} into a bare regular
    # expression and lose the rest.
    return len(value) == 1 and next(iter(value)) in _WRAPPERS


def _unwrap(value: Mapping[str, Any]) -> Any:
    ((name, inner),) = value.items()
    try:
        return json_util.object_hook({name: from_extended_json(inner)}, _OPTIONS)
    except Exception as error:
        raise ValueError(f"{name} does not hold a valid value: {error}") from error
