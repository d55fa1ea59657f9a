"""The agent reference, from the specification's own schema."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from agents_app.spec import NO_EFFECT, SECTIONS, AgentSpec, known_paths
from docs.generate.markdown import page, table
from docs.generate.meanings import MEANINGS

_LEAD: Final = """
An agent is a YAML or JSON file. `mongoclaw agents validate -f FILE` checks it, and
`mongoclaw agents create -f FILE` publishes it. An unknown key is an error, and so is a key that is given
twice. All defaults of 1.0.4 are kept.

Settings marked *no effect yet* are checked and stored, so that an agent can be kept as it is; nothing acts on
them, and publishing says so.

The older names `execution.retry_delay_ms`, `execution.timeout_ms` and `execution.rate_limit_per_minute` are
accepted, with a warning.
"""
_TYPES: Final[Mapping[str, str]] = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "object": "mapping",
}
_BOUNDS: Final[Mapping[str, str]] = {
    "minimum": "≥",
    "ge": "≥",
    "exclusiveMinimum": ">",
    "gt": ">",
    "maximum": "≤",
    "le": "≤",
    "exclusiveMaximum": "<",
    "lt": "<",
}
_LARGEST_SHOWN: Final = 10**9  # limits beyond only keep numbers storable


def reference() -> str:
    """The whole page."""
    schema = AgentSpec.model_json_schema()
    sections = [_section("The agent", "", [path for path in known_paths() if "." not in path], schema)]
    for name, section in SECTIONS.items():
        paths = [path for path in known_paths() if path.startswith(f"{name}.")]
        summary = (section.__doc__ or "").strip().splitlines()[0]
        sections.append(_section(name, summary, paths, schema["$defs"][section.__name__], schema["$defs"]))
    return page("Agents", _LEAD, *sections)


def _section(
    title: str,
    summary: str,
    paths: list[str],
    schema: Mapping[str, Any],
    definitions: Mapping[str, Any] | None = None,
) -> str:
    known = schema["$defs"] if definitions is None else definitions
    rows = [_row(path, schema, known) for path in paths]
    body = table(("setting", "type", "default", "meaning"), rows)
    return "\n\n".join(part for part in (f"## {title}", summary, body) if part)


def _row(path: str, schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> tuple[str, ...]:
    field = path.rpartition(".")[2]
    described = schema["properties"][field]
    mark = "*No effect yet.* " if path in NO_EFFECT else ""
    return f"`{path}`", _type(described, definitions), _default(path, field, schema), mark + MEANINGS[path]


def _default(path: str, field: str, schema: Mapping[str, Any]) -> str:
    if field in schema.get("required", ()):
        return "**required**"
    if path in SECTIONS and path != "policy":
        return "all defaults"
    value = schema["properties"][field].get("default", {})
    return "none" if value is None else f"`{json.dumps(value, ensure_ascii=False)}`"


def _type(described: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    if "$ref" in described:
        return _type(definitions[described["$ref"].rpartition("/")[2]], definitions)
    if "anyOf" in described:
        kinds = [kind for kind in described["anyOf"] if kind.get("type") != "null"]
        return " or ".join(_type(kind, definitions) for kind in kinds)
    if "enum" in described:
        return ", ".join(f"`{value}`" for value in described["enum"])
    if described.get("type") == "array":
        return f"list of: {_type(described['items'], definitions)}"
    if described.get("format") == "date-time":
        return "date and time"
    return "".join((_TYPES[described["type"]], *_limits(described)))


def _limits(described: Mapping[str, Any]) -> Iterator[str]:
    for name, sign in _BOUNDS.items():
        bound = described.get(name)
        if bound is not None and bound < _LARGEST_SHOWN:
            yield f", {sign} {bound:,}"
    if "maxLength" in described:
        yield f", at most {described['maxLength']:,} characters"
