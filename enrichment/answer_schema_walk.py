"""Where in a JSON schema other schemas are. Data in it (`enum`, `default`, `examples`) is not walked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, TypeAlias

Schema: TypeAlias = "Mapping[str, object] | bool"

ONE: Final = (
    "additionalProperties",
    "contains",
    "contentSchema",
    "else",
    "if",
    "items",
    "not",
    "propertyNames",
    "then",
    "unevaluatedItems",
    "unevaluatedProperties",
)
MANY: Final = ("allOf", "anyOf", "oneOf", "prefixItems")
NAMED: Final = ("$defs", "definitions", "dependentSchemas", "patternProperties", "properties")


def subschemas(schema: object, path: str = "") -> Iterator[tuple[str, Mapping[str, object]]]:
    """Yield every object schema in the schema, itself first, with its path."""
    waiting = [(path, schema)]
    while waiting:
        place, current = waiting.pop()
        if isinstance(current, Mapping):
            yield place, current
            waiting.extend(reversed(list(_children(place, current))))


def _children(path: str, schema: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    for keyword, value in schema.items():
        place = f"{path}.{keyword}"
        if keyword in ONE:
            yield place, value
        elif keyword in MANY and isinstance(value, list):
            yield from ((f"{place}[{index}]", item) for index, item in enumerate(value))
        elif keyword in NAMED and isinstance(value, Mapping):
            yield from ((f"{place}.{name}", item) for name, item in value.items())
