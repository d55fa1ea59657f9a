"""From YAML or JSON text to a checked specification."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from agents_app.errors import SpecInvalid
from agents_app.spec.json_text import NotJson, read_json
from agents_app.spec.parse import ParsedSpec, parse_spec
from agents_app.spec.shared_policy import ParsedPolicy, parse_policy
from agents_app.spec.source import MAX_CHARACTERS, Source, refuse
from agents_app.spec.yaml_text import read_yaml

_LOOKS_LIKE_JSON = re.compile(r'\s*\{\s*["}]')

_Parsed = TypeVar("_Parsed")


def load_spec(text: str, *, source: str = "agent") -> ParsedSpec:
    """Return the specification that a YAML or JSON text declares; `source` names it in the error's details.

    Raises SpecInvalid with every problem that was found, each with its path, line and column.
    """
    return _load(text, parse_spec, "an agent", source)


def load_policy(text: str, *, source: str = "policy") -> ParsedPolicy:
    """Return the shared policy that a YAML or JSON text declares; as `load_spec`."""
    return _load(text, parse_policy, "a policy", source)


def _load(text: str, parse: Callable[[Mapping[str, Any]], _Parsed], kind: str, source: str) -> _Parsed:
    try:
        read = read_text(text)
        if not isinstance(read.value, dict):
            raise refuse(f"{kind} must be a mapping of keys to values", line=1)
    except SpecInvalid as error:
        raise SpecInvalid(errors=error.errors, source=source) from None
    try:
        return parse(read.value)
    except SpecInvalid as error:
        problems = [read.locate(problem) for problem in error.errors]
        raise SpecInvalid(errors=problems, source=source) from None


def read_text(text: str) -> Source:
    """Return the values of a YAML or JSON text, unchecked. Raises SpecInvalid with line and column."""
    if len(text) > MAX_CHARACTERS:
        raise refuse(f"the text is longer than {MAX_CHARACTERS:,} characters")
    text = text.removeprefix("\ufeff")
    if not _LOOKS_LIKE_JSON.match(text):
        return read_yaml(text)
    try:
        return read_json(text)
    except NotJson as error:
        # YAML's flow style starts like JSON, too.
        try:
            return read_yaml(text)
        except SpecInvalid:
            message = f"the text is not valid JSON: {error.message}"
            raise refuse(message, line=error.line, column=error.column) from None
