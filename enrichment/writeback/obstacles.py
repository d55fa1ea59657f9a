"""What to do when a document has something else where a path of the update leads through."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from enrichment.errors import WriteRefused
from enrichment.writeback.targets import ancestors, covers

_MISSING = object()


@dataclass(frozen=True, slots=True)
class Folded:
    """The same update with null turned into an object, and a filter that says where null must still be."""

    filter: Mapping[str, Any]
    update: Mapping[str, Any]


def fold(update: Mapping[str, Any], document: Mapping[str, Any], foldable: frozenset[str]) -> Folded | None:
    """Return an update that can replace the nulls in the way, or None if something else is in the way.

    MongoDB sets no field inside null, yet `{summary: null}` is how many documents wait to be enriched.
    """
    nulls: set[str] = set()
    for path, value, _ in _obstacles(update, document):
        if value is not None or not any(covers(outer, path) for outer in foldable):
            return None
        nulls.add(path)
    if not nulls:
        return None
    sets = dict(update.get("$set", {}))
    pushes = dict(update.get("$push", {}))
    for null in nulls:
        if null in pushes:
            sets[null] = [pushes.pop(null)]
        else:
            sets[null] = _gather(sets, null)
    parts = {**update, "$set": sets, "$push": pushes}
    condition = {null: {"$type": "null"} for null in nulls}
    return Folded(condition, {operator: fields for operator, fields in parts.items() if fields})


def explain(update: Mapping[str, Any], document: Mapping[str, Any], place: str) -> WriteRefused:
    """Return an error that names the path in the way and what is there, without its value."""
    for path, value, wanted in _obstacles(update, document):
        return WriteRefused(f"{place}: {path!r} holds {_kind(value)}, and {wanted} is needed there")
    return WriteRefused(f"{place}: the answer does not fit into the document")


def _obstacles(update: Mapping[str, Any], document: Mapping[str, Any]) -> Iterator[tuple[str, Any, str]]:
    """Yield the path, the value that is there, and what would have to be there instead."""
    for path in update.get("$push", {}):
        value = _look(document, path)
        if value is not _MISSING and not isinstance(value, list):
            yield path, value, "an array"
    for path in update.get("$inc", {}):
        value = _look(document, path)
        if value is not _MISSING and (isinstance(value, bool) or not isinstance(value, (int, float))):
            yield path, value, "a number"
    for operator in ("$set", "$push"):
        for path in update.get(operator, {}):
            yield from _outer_obstacle(path, document)


def _outer_obstacle(path: str, document: Mapping[str, Any]) -> Iterator[tuple[str, Any, str]]:
    for outer in ancestors(path):
        value = _look(document, outer)
        if value is _MISSING or isinstance(value, Mapping):
            continue
        inner = path[len(outer) + 1 :].partition(".")[0]
        if not (isinstance(value, list) and inner.isdecimal()):
            yield outer, value, "an object"
            return


def _look(document: Mapping[str, Any], path: str) -> Any:
    value: Any = document
    for part in path.split("."):
        if isinstance(value, Mapping) and part in value:
            value = value[part]
        elif isinstance(value, list) and part.isdecimal() and int(part) < len(value):
            value = value[int(part)]
        else:
            return _MISSING
    return value


def _gather(sets: dict[str, Any], outer: str) -> dict[str, Any]:
    """Take everything below `outer` out of `sets` and return it as one object."""
    tree: dict[str, Any] = {}
    for path in [path for path in sets if path != outer and covers(outer, path)]:
        *parts, last = path[len(outer) + 1 :].split(".")
        place = tree
        for part in parts:
            place = place.setdefault(part, {})
        place[last] = sets.pop(path)
    return tree


def _kind(value: object) -> str:
    names = {str: "text", bool: "true or false", int: "a number", float: "a number", list: "an array"}
    return "null" if value is None else names.get(type(value), f"a value of type {type(value).__name__}")
