"""Validation errors as short texts: the path and the rule, never a large part of the answer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from enrichment.answer.limits import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from jsonschema.exceptions import _Error

_LONGEST_RULE: Final = 200


def describe(error: _Error) -> str:
    """Return the error as `answer.price: must be at least 0`."""
    return f"{_path(error.absolute_path)}: {_rule(error)}"


def _path(parts: Iterable[str | int]) -> str:
    return "answer" + "".join(
        f"[{part}]" if isinstance(part, int) else f".{shown(str(part))}" for part in parts
    )


def _rule(error: _Error) -> str:
    keyword = str(error.validator)
    if keyword in _OWN_WORDS:
        return str(error.message)
    if keyword in _WORDS:
        return _WORDS[keyword](_short(error.validator_value))
    if keyword == "type":
        return f"must be {_types(error.validator_value)}, is {_type_of(error.instance)}"
    if keyword in ("anyOf", "oneOf"):
        return _branches(error)
    return "is not allowed" if error.validator is None else f"does not satisfy {keyword}"


def _branches(error: _Error) -> str:
    if not error.context:
        return "fits more than one of the alternatives; exactly one is allowed"
    deepest = max(error.context, key=lambda cause: len(cause.absolute_path))
    return f"fits none of the alternatives (nearest: {describe(deepest)})"[:_LONGEST_RULE]


def _types(types: object) -> str:
    return " or ".join(map(str, types)) if isinstance(types, list) else str(types)


def _type_of(value: object) -> str:
    if value is None:
        return "null"
    for kind, name in _TYPE_NAMES:
        if isinstance(value, kind):
            return name
    return type(value).__name__


def _short(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _LONGEST_RULE else f"{text[:_LONGEST_RULE]}…"


# Their messages hold no part of the answer: they come from keywords, or name a field of the schema.
_OWN_WORDS: Final = frozenset({"additionalProperties", "pattern", "required", "uniqueItems"})
_TYPE_NAMES: Final = (
    (bool, "boolean"),
    (int, "integer"),
    (float, "number"),
    (str, "string"),
    (list, "array"),
    (dict, "object"),
)
_WORDS: Final[dict[str, Callable[[str], str]]] = {
    "const": "must be {}".format,
    "contains": "holds no item that fits {}".format,
    "enum": "must be one of {}".format,
    "exclusiveMaximum": "must be less than {}".format,
    "exclusiveMinimum": "must be more than {}".format,
    "format": "must be a valid {}".format,
    "maximum": "must be at most {}".format,
    "maxItems": "must have at most {} items".format,
    "maxLength": "must have at most {} characters".format,
    "maxProperties": "must have at most {} fields".format,
    "minimum": "must be at least {}".format,
    "minItems": "must have at least {} items".format,
    "minLength": "must have at least {} characters".format,
    "minProperties": "must have at least {} fields".format,
    "multipleOf": "must be a multiple of {}".format,
}
