"""A value that fits a JSON schema, the same one for the same prompt."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any, cast

from sandbox.model.schema_hints import with_hints
from sandbox.model.schema_merge import follow, merged
from sandbox.model.schema_scalar import make_number, make_string

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.model.schema_merge import Schema

_FULL_DEPTH = 5  # Deeper down only what is required is made, so that recursive schemas end.
_PATIENCE = 10
_TYPE_OF_KEYWORD = {
    "properties": "object",
    "required": "object",
    "additionalProperties": "object",
    "minProperties": "object",
    "items": "array",
    "prefixItems": "array",
    "minItems": "array",
    "minimum": "number",
    "maximum": "number",
    "multipleOf": "number",
    "minLength": "string",
    "maxLength": "string",
    "pattern": "string",
    "format": "string",
}


class SchemaAnswer:
    """Makes the value for one prompt."""

    def __init__(self, schema: Mapping[str, Any], *, seed: int, words: tuple[str, ...]) -> None:
        self._root = schema
        self.rng = Random(seed)
        self._words = words

    def value(self) -> Any:
        """The whole answer."""
        return self._make(self._root, "", 0)

    def _make(self, schema: Any, name: str, depth: int) -> Any:
        if not isinstance(schema, dict):
            return self._phrase(name, {})
        schema = self._settled(with_hints(schema))
        if "const" in schema:
            return schema["const"]
        if schema.get("enum"):
            return self.rng.choice(schema["enum"])
        return self._of_type(_type_of(schema), schema, name, depth)

    def _of_type(self, kind: str, schema: Schema, name: str, depth: int) -> Any:
        match kind:
            case "object":
                return self._object(schema, depth)
            case "array":
                return self._array(schema, name, depth)
            case "integer" | "number":
                return make_number(schema, name, self.rng, whole=kind == "integer")
            case "boolean":
                return bool(self.rng.getrandbits(1))
            case "null":
                return None
        return self._phrase(name, schema)

    def _settled(self, schema: Schema) -> Schema:
        """The schema with its references and combinations replaced by one choice."""
        for _ in range(20):
            if "$ref" in schema:
                rest = {key: value for key, value in schema.items() if key != "$ref"}
                schema = merged(rest, with_hints(follow(self._root, schema["$ref"])))
                continue
            if "allOf" in schema:
                rest = {key: value for key, value in schema.items() if key != "allOf"}
                for part in schema["allOf"]:
                    rest = merged(rest, self._settled(part) if isinstance(part, dict) else {})
                schema = rest
                continue
            choice = next((key for key in ("anyOf", "oneOf") if schema.get(key)), None)
            if choice is None:
                return schema
            rest = {key: value for key, value in schema.items() if key != choice}
            schema = merged(rest, with_hints(self._choose(schema[choice])))
        return schema

    def _choose(self, options: list[Any]) -> Schema:
        # Null is a way out of optional fields, not an answer worth showing.
        telling = [option for option in options if isinstance(option, dict) and option.get("type") != "null"]
        return cast("Schema", self.rng.choice(telling)) if telling else {"type": "null"}

    def _object(self, schema: Schema, depth: int) -> dict[str, Any]:
        properties: dict[str, Any] = schema.get("properties", {})
        required = schema.get("required", [])
        most = schema.get("maxProperties", len(properties) + len(required))
        names = [
            *required,
            *(() if depth >= _FULL_DEPTH else (key for key in properties if key not in required)),
        ]
        other = schema.get("additionalProperties", True)
        made = {
            name: self._make(properties.get(name, other), name, depth + 1)
            for name in dict.fromkeys(names[: max(most, len(required))])
            if properties.get(name, other) is not False
        }
        for number in range(schema.get("minProperties", 0) - len(made)):
            made[f"field_{number + 1}"] = self._make(other, "field", depth + 1)
        return made

    def _array(self, schema: Schema, name: str, depth: int) -> list[Any]:
        prefix = schema.get("prefixItems", [])
        items = schema.get("items", True)
        least = schema.get("minItems", 0)
        usual = 0 if depth >= _FULL_DEPTH else self.rng.randint(1, 3)
        most = schema.get("maxItems", max(least, usual, len(prefix)))
        made = [self._make(part, name, depth + 1) for part in prefix[:most]]
        if "contains" in schema and len(made) < most:
            made += [self._make(schema["contains"], name, depth + 1)] * schema.get("minContains", 1)
        goal = 0 if items is False else min(most, max(least, usual))
        tries = 0
        while len(made) < goal and tries < 50 * (goal + 1):
            tries += 1
            item = self._make(items, name, depth + 1)
            if tries > _PATIENCE * goal and isinstance(item, str) and _is_plain(items):
                item = f"{item} {tries}"  # a document of one word has no other one to give
            if not schema.get("uniqueItems") or item not in made:
                made.append(item)
        return made

    def _phrase(self, name: str, schema: Schema) -> str:
        return make_string(schema, name, self.rng, self._words)


def _is_plain(schema: Any) -> bool:
    """Whether any text fits."""
    return isinstance(schema, dict) and schema.keys() <= {"type", "title", "description"}


def _type_of(schema: Schema) -> str:
    kinds = schema.get("type")
    if isinstance(kinds, str):
        return kinds
    if isinstance(kinds, list) and kinds:
        return cast("str", next((kind for kind in kinds if kind != "null"), "null"))
    return next((kind for keyword, kind in _TYPE_OF_KEYWORD.items() if keyword in schema), "string")
