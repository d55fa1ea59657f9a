"""Small differences between an answer and its schema that are mended without changing the meaning.

`null` for an optional field that may not be null is what strict decoding makes of "not there"; a choice spelt
in other case is that choice. Each is on record. Nothing else is converted: a number in quotes stays a wrong
answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

_MAX_HOPS: Final = 10  # references followed from one place


@dataclass(slots=True)
class Fitting:
    """One answer being fitted; `fixes` are the kinds of change that were made."""

    root: Mapping[str, Any]
    accepts: Callable[[object, object], bool]
    fixes: dict[str, None] = field(default_factory=dict)

    def fit(self, schema: object, value: object) -> object:
        """Return the value with the changes made, in place where it is a list or an object."""
        part = self._resolved(schema)
        if isinstance(value, dict):
            self._fit_object(part, value)
        elif isinstance(value, list) and "items" in part:
            value[:] = [self.fit(part["items"], item) for item in value]
        elif isinstance(value, str) and isinstance(part.get("enum"), list):
            return self._choice(part["enum"], value)
        return value

    def _fit_object(self, part: Mapping[str, Any], value: dict[str, object]) -> None:
        declared = part.get("properties")
        if not isinstance(declared, Mapping):
            return
        required = part.get("required", ())
        for name, schema in declared.items():
            if name not in value:
                continue
            if value[name] is None and name not in required and not self.accepts(schema, None):
                del value[name]
                self.fixes["null_dropped"] = None
            else:
                value[name] = self.fit(schema, value[name])

    def _choice(self, choices: list[object], value: str) -> str:
        if value in choices:
            return value
        folded = value.strip().casefold()
        texts = [choice for choice in choices if isinstance(choice, str)]
        same = [text for text in texts if text.strip().casefold() == folded]
        if len(same) != 1:
            return value
        self.fixes["enum_case"] = None
        return same[0]

    def _resolved(self, schema: object) -> Mapping[str, Any]:
        for _ in range(_MAX_HOPS):
            if not isinstance(schema, Mapping):
                return {}
            reference = schema.get("$ref")
            if not isinstance(reference, str):
                return schema
            schema = self._pointed(reference)
        return {}

    def _pointed(self, reference: str) -> object:
        place: object = self.root
        for part in reference.removeprefix("#").split("/")[1:]:
            name = part.replace("~1", "/").replace("~0", "~")
            place = place.get(name) if isinstance(place, Mapping) else None
        return place
