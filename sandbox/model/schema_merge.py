"""Local references, and two schemas made one that satisfies both where that is simple."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

Schema = dict[str, Any]
_LARGER = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
_SMALLER = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")


def follow(root: Any, reference: Any) -> Schema:
    """What a `#/…` reference points to; an empty schema for a remote or broken one."""
    if not isinstance(reference, str) or not reference.startswith("#"):
        return {}
    place = root
    for part in reference[1:].split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~").replace("%25", "%")
        if isinstance(place, dict):
            place = place.get(key)
        elif isinstance(place, list) and key.isdigit() and int(key) < len(place):
            place = place[int(key)]
        else:
            return {}
    return place if isinstance(place, dict) else {}


def merged(one: Schema, other: Schema) -> Schema:
    """The keywords of both; of bounds the narrower, of enums and types what both allow."""
    result = dict(one)
    for key, value in other.items():
        result[key] = _both(key, result[key], value) if key in result else value
    return result


def _both(key: str, one: Any, other: Any) -> Any:
    return _TOGETHER.get(key, _later)(one, other)


def _later(_: Any, other: Any) -> Any:
    return other


def _properties(one: Any, other: Any) -> Any:
    return {**one, **{name: merged(one[name], part) if name in one else part for name, part in other.items()}}


def _required(one: Any, other: Any) -> Any:
    return [*one, *(name for name in other if name not in one)]


def _enum(one: Any, other: Any) -> Any:
    return [value for value in one if value in other] or one


def _types(one: Any, other: Any) -> Any:
    ones = [one] if isinstance(one, str) else one
    others = [other] if isinstance(other, str) else other
    return [kind for kind in others if kind in ones] or other


_TOGETHER: dict[str, Callable[[Any, Any], Any]] = {
    "properties": _properties,
    "required": _required,
    "enum": _enum,
    "type": _types,
    **dict.fromkeys(_LARGER, max),
    **dict.fromkeys(_SMALLER, min),
}
