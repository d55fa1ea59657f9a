"""Rules that a schema states in words, as schemas for strict decoders must: a good model obeys those as well.

Two forms are understood: limits at the end of a description, `(minimum 1; maximum 5)`, and a schema in the
prompt behind the words "JSON Schema:".
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from sandbox.model.schema_merge import Schema

_DECODER = json.JSONDecoder()
_MARK = "JSON Schema:"
_KNOWN = frozenset(
    {
        "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength",
        "pattern", "format", "minItems", "maxItems", "uniqueItems", "minProperties", "maxProperties",
    }
)  # fmt: skip


def with_hints(schema: Schema) -> Schema:
    """The schema with the limits that its description names."""
    description = schema.get("description")
    if not isinstance(description, str) or not description.endswith(")"):
        return schema
    limits = _limits(description)
    return {**limits, **schema} if limits else schema


def schema_in_words(prompt: str) -> Schema | None:
    """The schema that stands in the prompt, None if there is none."""
    place = prompt.find(_MARK)
    if place < 0:
        return None
    rest = prompt[place + len(_MARK) :].lstrip()
    try:
        found, _ = _DECODER.raw_decode(rest)
    except ValueError:
        return None
    return cast("Schema", found) if isinstance(found, dict) else None


@lru_cache(maxsize=1024)
def _limits(description: str) -> Schema:
    place = description.find("(")
    while place >= 0:
        found = _read(description, place + 1)
        if found:
            return found
        place = description.find("(", place + 1)
    return {}


def _read(text: str, place: int) -> Schema:
    """The limits from `place` to the end of the text; empty if anything else stands there."""
    found: dict[str, Any] = {}
    while True:
        keyword, blank, _ = text[place:].partition(" ")
        if not blank or keyword not in _KNOWN:
            return {}
        try:
            found[keyword], place = _DECODER.raw_decode(text, place + len(keyword) + 1)
        except ValueError:
            return {}
        if text[place:] == ")":
            return found
        if not text.startswith("; ", place):
            return {}
        place += 2
