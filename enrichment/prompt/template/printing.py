"""How values become text in a prompt: objects and lists as JSON, everything else as Jinja prints it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date, datetime, time

from jinja2 import Undefined

from enrichment.plain import to_plain
from enrichment.prompt.errors import PromptRenderError
from enrichment.prompt.template.meter import Meter
from enrichment.prompt.template.missing import fail_if_missing

LARGEST_INDENT = 16


def to_text(meter: Meter, value: object) -> str:
    """Return the value as it is printed."""
    if isinstance(value, str):
        return str(value)
    if isinstance(value, Mapping | list | tuple):
        return to_json(meter, value)
    if isinstance(value, Undefined):
        fail_if_missing(value)
    if value is None or isinstance(value, bool | int | float | date | datetime | time):
        return str(value)
    raise PromptRenderError(f"a {type(value).__name__} cannot be printed")


def to_json(meter: Meter, value: object, indent: int | None = None) -> str:
    """Return the value as JSON."""
    if indent is not None and not 0 <= int(indent) <= LARGEST_INDENT:
        raise PromptRenderError(f"json's indent is at most {LARGEST_INDENT}")
    meter.charge(value)
    fail_if_missing(value)
    text = json.dumps(value, ensure_ascii=False, indent=indent, default=_to_json)
    meter.reserve(len(text))
    return text


def _to_json(value: object) -> object:
    fail_if_missing(value)
    if isinstance(value, Mapping | date | datetime | time):
        return to_plain(value)
    raise PromptRenderError(f"a {type(value).__name__} cannot be printed")
