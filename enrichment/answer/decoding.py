"""The schema given to a provider, whose decoder then can write nothing else.

Providers agree only on a strict subset: every field required (optional ones may be null instead), no other
fields, no limits on lengths and numbers. What the subset cannot say is told to the model in descriptions and
checked afterwards.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

_LIMITS: Final = (
    "pattern",
    "format",
    "minLength",
    "maxLength",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minItems",
    "maxItems",
    "uniqueItems",
)
_NOTES: Final = frozenset(
    {"$comment", "$schema", "default", "deprecated", "description", "examples", "title"}
)
_SHAPE: Final = frozenset(
    {"$defs", "$ref", "additionalProperties", "anyOf", "const", "definitions", "enum", "items"}
    | {"oneOf", "properties", "required", "type"}
)
_LONGEST_NOTE: Final = 400


class NotExpressible(Exception):
    """The strict subset cannot express the schema; the message says which part."""


def decoding_schema(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema in the strict subset. Raises NotExpressible."""
    strict = _strict(schema, "")
    if "$ref" in strict or "anyOf" in strict:
        raise NotExpressible("the schema's root is no plain object")
    return strict


def _strict(schema: object, path: str) -> dict[str, Any]:
    if not isinstance(schema, Mapping):
        raise NotExpressible(f"{path or 'the root'} allows anything")
    for keyword in schema:
        if keyword not in _SHAPE and keyword not in _NOTES and keyword not in _LIMITS:
            raise NotExpressible(f"{path}.{keyword}".lstrip("."))
    strict: dict[str, Any] = {}
    if note := _note(schema):
        strict["description"] = note
    for keyword in ("$defs", "definitions"):
        if keyword in schema:
            strict[keyword] = {
                name: _strict(part, f"{path}.{keyword}.{name}") for name, part in schema[keyword].items()
            }
    return strict | _shape(schema, path)


def _shape(schema: Mapping[str, Any], path: str) -> dict[str, Any]:
    if "$ref" in schema:
        return {"$ref": schema["$ref"]}
    for keyword in ("anyOf", "oneOf"):
        if keyword in schema:
            if "properties" in schema or ("anyOf" in schema and "oneOf" in schema):
                raise NotExpressible(f"{path}.{keyword} beside other rules".lstrip("."))
            return {
                "anyOf": [_strict(part, f"{path}.{keyword}[{i}]") for i, part in enumerate(schema[keyword])]
            }
    if "const" in schema or "enum" in schema:
        return _choices([schema["const"]] if "const" in schema else schema["enum"], schema, path)
    return _typed(schema, path)


def _choices(values: list[Any], schema: Mapping[str, Any], path: str) -> dict[str, Any]:
    types = list(dict.fromkeys(_type_name(value, path) for value in values))
    declared = schema.get("type", types)
    return {"type": declared if len(types) > 1 or declared != types else types[0], "enum": list(values)}


def _typed(schema: Mapping[str, Any], path: str) -> dict[str, Any]:
    declared = schema.get("type", "object" if "properties" in schema else None)
    if declared is None:
        raise NotExpressible(f"{path or 'the root'} has no type".lstrip("."))
    types = declared if isinstance(declared, list) else [declared]
    strict: dict[str, Any] = {"type": declared}
    if "object" in types:
        strict |= _object(schema, path)
    if "array" in types:
        if "items" not in schema:
            raise NotExpressible(f"{path} is a list of anything".lstrip("."))
        strict["items"] = _strict(schema["items"], f"{path}.items")
    return strict


def _object(schema: Mapping[str, Any], path: str) -> dict[str, Any]:
    if not schema.get("properties") or schema.get("additionalProperties") not in (None, False):
        raise NotExpressible(f"{path or 'the root'} allows fields that are not declared".lstrip("."))
    required = set(schema.get("required", ()))
    if not required <= set(schema["properties"]):
        raise NotExpressible(f"{path}.required names fields that are not declared".lstrip("."))
    fields = {name: _strict(part, f"{path}.{name}") for name, part in schema["properties"].items()}
    return {
        "properties": {name: part if name in required else _or_null(part) for name, part in fields.items()},
        "required": list(fields),
        "additionalProperties": False,
    }


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    types = schema.get("type")
    if types is None:
        branches = schema.get("anyOf", [schema])
        return schema if {"type": "null"} in branches else {"anyOf": [*branches, {"type": "null"}]}
    listed = types if isinstance(types, list) else [types]
    changed = dict(schema, type=listed if "null" in listed else [*listed, "null"])
    if "enum" in schema and None not in schema["enum"]:
        changed["enum"] = [*schema["enum"], None]
    return changed


def _note(schema: Mapping[str, Any]) -> str:
    limits = "; ".join(
        f"{keyword} {json.dumps(schema[keyword], ensure_ascii=False)}"
        for keyword in _LIMITS
        if keyword in schema
    )
    words = str(schema.get("description", ""))
    return f"{words} ({limits})".strip()[:_LONGEST_NOTE] if limits else words


def _type_name(value: object, path: str) -> str:
    if value is None:
        return "null"
    for kind, name in ((bool, "boolean"), (int, "integer"), (float, "number"), (str, "string")):
        if isinstance(value, kind):
            return name
    raise NotExpressible(f"{path} is a choice of lists or objects".lstrip("."))
