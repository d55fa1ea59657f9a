"""JSON Schema keywords whose usual implementation can be made to run for hours by an answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TypeAlias

from jsonschema import Draft202012Validator, ValidationError
from jsonschema.validators import extend

from enrichment.answer.budget import search, take_reference
from enrichment.answer.patterns import PatternTooSlow

Keyword: TypeAlias = "Callable[[Any, Any, Any, Any], Iterator[ValidationError] | None]"

_MANY_FOR_UNEVALUATED: Final = 1_000


def _ref(validator: Any, ref: str, instance: object, schema: object) -> Iterator[ValidationError]:
    take_reference()
    yield from Draft202012Validator.VALIDATORS["$ref"](validator, ref, instance, schema) or ()


def _pattern(_: Any, pattern: str, instance: object, _schema: object) -> Iterator[ValidationError]:
    if isinstance(instance, str):
        try:
            if not search(pattern, instance):
                yield ValidationError("does not match the pattern")
        except PatternTooSlow as error:
            yield ValidationError(str(error))


def _pattern_properties(
    validator: Any, patterns: Mapping[str, object], instance: object, _schema: object
) -> Iterator[ValidationError]:
    if not isinstance(instance, dict):
        return
    for pattern, subschema in patterns.items():
        for key, value in instance.items():
            if search(pattern, key):
                yield from validator.descend(value, subschema, path=key, schema_path=pattern)


def _additional_properties(
    validator: Any, rule: object, instance: object, schema: Mapping[str, Any]
) -> Iterator[ValidationError]:
    if not isinstance(instance, dict):
        return
    declared = schema.get("properties", {})
    patterns = schema.get("patternProperties", {})
    for key, value in instance.items():
        if key in declared or any(search(pattern, key) for pattern in patterns):
            continue
        if isinstance(rule, Mapping):
            yield from validator.descend(value, rule, path=key)
        elif rule is False:
            error = ValidationError("is not a declared field")
            error.path.append(key)
            yield error


def _unique_items(_: Any, unique: object, instance: object, _schema: object) -> Iterator[ValidationError]:
    if unique and isinstance(instance, list):
        seen = {_identity(item) for item in instance}
        if len(seen) != len(instance):
            yield ValidationError("holds an item twice")


def _identity(value: object) -> object:
    """Return a hashable stand-in: equal for values that JSON calls equal (1 and 1.0, but not 1 and true)."""
    if isinstance(value, bool):
        return ("bool", value)
    if isinstance(value, list):
        return ("list", tuple(map(_identity, value)))
    if isinstance(value, dict):
        return ("dict", frozenset((key, _identity(item)) for key, item in value.items()))
    return value


def _few(keyword: str) -> Keyword:
    original = Draft202012Validator.VALIDATORS[keyword]

    def check(validator: Any, rule: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
        if isinstance(instance, dict | list) and len(instance) > _MANY_FOR_UNEVALUATED:
            yield ValidationError(f"holds more than {_MANY_FOR_UNEVALUATED:,} entries")
            return
        yield from original(validator, rule, instance, schema) or ()

    return check


BoundedValidator: Final[Any] = extend(  # type: ignore[no-untyped-call]  # untyped in its stubs
    Draft202012Validator,
    {
        "$ref": _ref,
        "additionalProperties": _additional_properties,
        "pattern": _pattern,
        "patternProperties": _pattern_properties,
        "unevaluatedItems": _few("unevaluatedItems"),
        "unevaluatedProperties": _few("unevaluatedProperties"),
        "uniqueItems": _unique_items,
    },
)
