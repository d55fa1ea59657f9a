"""Turns pydantic's errors into short sentences that name the field."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from agents_app.errors import SpecProblem
from agents_app.spec.agent import SECTIONS, AgentSpec

_NUMBER = "must be a number"
_WHOLE = "must be a whole number"
_BOOL = "must be true or false"
_MAPPING = "must be a mapping of keys to values"
_LIST = "must be a list"
_MOMENT = "must be a date and time, such as 2026-01-31T12:00:00Z"

_MESSAGES: Mapping[str, str] = {
    "missing": "is required",
    "string_type": "must be text",
    "string_unicode": "must be text",
    "string_too_short": "must not be empty",
    "string_too_long": "must have at most {max_length} characters",
    "int_type": _WHOLE,
    "int_parsing": _WHOLE,
    "int_parsing_size": _WHOLE,
    "int_from_float": _WHOLE,
    "float_type": _NUMBER,
    "float_parsing": _NUMBER,
    "finite_number": "must be a finite number",
    "greater_than": "must be > {gt}",
    "greater_than_equal": "must be ≥ {ge}",
    "less_than": "must be < {lt}",
    "less_than_equal": "must be ≤ {le}",
    "bool_type": _BOOL,
    "bool_parsing": _BOOL,
    "model_type": _MAPPING,
    "model_attributes_type": _MAPPING,
    "dict_type": _MAPPING,
    "mapping_type": _MAPPING,
    "tuple_type": _LIST,
    "list_type": _LIST,
    "too_short": "must not be empty",
    "too_long": "must have at most {max_length} entries",
    "datetime_type": _MOMENT,
    "datetime_parsing": _MOMENT,
    "datetime_from_date_parsing": _MOMENT,
    "datetime_object_invalid": _MOMENT,
    "timezone_offset": _MOMENT,
}


def describe(error: ValidationError) -> Iterator[SpecProblem]:
    """Yield one problem per error, in the order of the fields."""
    found = error.errors(include_url=False)
    for details in found:
        location = tuple(str(part) for part in details["loc"] if part != "[key]")
        if details["type"] == "too_short" and any(
            _is_inside(other["loc"], details["loc"]) for other in found
        ):
            continue  # pydantic does not count the entries that it refused
        yield SpecProblem(".".join(location), _message(details, location))


def suggestion(section: str, key: str) -> str | None:
    """Return the path that an unknown key of a section (empty: the top level) probably means, or None."""
    paths = [path for path in known_paths() if _parent(path) == section]
    for candidates in (paths, list(known_paths())):
        by_name: dict[str, str] = {}
        for path in candidates:
            by_name.setdefault(_squeeze(path), path)
        close = difflib.get_close_matches(_squeeze(key), by_name, n=1, cutoff=0.75)
        if close:
            return by_name[close[0]]
    return None


def known_paths() -> Iterator[str]:
    """Yield the dotted path of every setting, top level first."""
    yield from AgentSpec.model_fields
    for name, section in SECTIONS.items():
        yield from (f"{name}.{field}" for field in section.model_fields)


def _is_inside(inner: tuple[int | str, ...], outer: tuple[int | str, ...]) -> bool:
    return len(inner) > len(outer) and inner[: len(outer)] == outer


def _message(details: ErrorDetails, location: tuple[str, ...]) -> str:
    kind, context, value = details["type"], details.get("ctx", {}), details["input"]
    if kind == "extra_forbidden":
        meant = suggestion(".".join(location[:-1]), location[-1])
        return "unknown key" if meant is None else f"unknown key; did you mean {meant}?"
    if kind == "value_error":
        return str(context["error"])
    if kind in ("enum", "literal_error"):
        return _choice(str(context["expected"]), value)
    if kind == "string_type" and isinstance(value, bool | int | float):
        return "must be text; put it in quotes"
    if kind == "too_long" and isinstance(value, str):
        kind = "string_too_long"
    bounds = {name: _show(bound) for name, bound in context.items()}
    return _MESSAGES[kind].format(**bounds) if kind in _MESSAGES else details["msg"]


def _choice(expected: str, value: Any) -> str:
    choices = [part.strip("' ") for part in expected.replace(" or ", ", ").split(",")]
    close = difflib.get_close_matches(value, choices, n=1) if isinstance(value, str) else []
    hint = f"; did you mean {close[0]}?" if close else ""
    return f"must be one of {', '.join(choices)}{hint}"


def _show(value: Any) -> Any:
    return f"{value:g}" if isinstance(value, float) else value


def _parent(path: str) -> str:
    return path.rpartition(".")[0]


def _squeeze(path: str) -> str:
    return path.rpartition(".")[2].replace("_", "").replace("-", "").lower()
