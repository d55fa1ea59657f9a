"""Strings and numbers that fit their schema."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from sandbox.model.pattern_text import matching_text
from sandbox.model.words import phrase

if TYPE_CHECKING:
    from random import Random

    from sandbox.model.schema_merge import Schema

_LONG_NAMES = (
    "summary",
    "description",
    "reason",
    "explanation",
    "text",
    "content",
    "reply",
    "translation",
    "note",
)
_SHARE_NAMES = ("confidence", "score", "probability", "share", "ratio")


def make_string(schema: Schema, name: str, rng: Random, words: tuple[str, ...]) -> str:
    """A format's text, a text for the pattern, or words of the prompt, within the bounds on its length."""
    least, most = schema.get("minLength", 0), schema.get("maxLength", 400)
    if "pattern" in schema:
        text = matching_text(schema["pattern"], rng, shortest=least)
        if text is not None and len(text) <= most:
            return text
    if schema.get("format") in _FORMATS:
        return _FORMATS[schema["format"]](rng)
    count = rng.randint(7, 14) if any(part in name.lower() for part in _LONG_NAMES) else rng.randint(1, 3)
    text = phrase(words, rng, count)
    while len(text) < least:
        text = f"{text} {phrase(words, rng, 3)}"
    # A cut may end in a blank, and stripping it could make the text too short again.
    return text[:most] if len(text[:most].rstrip()) < least else text[:most].rstrip()


def make_number(schema: Schema, name: str, rng: Random, *, whole: bool) -> int | float:
    """A number within the bounds and of the step; shares such as a confidence lie between 0 and 1."""
    low, high = _bounds(schema, name, whole=whole)
    step = schema.get("multipleOf", 1 if whole else None)
    if step is None:
        # Rounded as a person would write it, where the bounds are wide enough for that.
        value = low + (high - low) * rng.random()
        rounded = round(value, 2)
        return rounded if low < rounded < high else value
    first, last = math.ceil(low / step), math.floor(high / step)
    if schema.get("exclusiveMinimum") == first * step:
        first += 1
    if schema.get("exclusiveMaximum") == last * step:
        last -= 1
    value = rng.randint(first, max(first, last)) * step
    return int(value) if whole else value


def _bounds(schema: Schema, name: str, *, whole: bool) -> tuple[float, float]:
    low = _limit(schema, ("minimum", "exclusiveMinimum"), max)
    high = _limit(schema, ("maximum", "exclusiveMaximum"), min)
    span = 1 if not whole and any(part in name.lower() for part in _SHARE_NAMES) else 100
    if low is None and high is None:
        return 0, span
    if low is None and high is not None:
        return (0, high) if high > 0 else (high - span, high)
    if low is not None and high is None:
        return low, low + max(span, abs(schema.get("multipleOf", 0)) * 2)
    return low, high  # type: ignore[return-value]  # both are set here


def _limit(schema: Schema, keys: tuple[str, str], choose: Any) -> float | None:
    found = [schema[key] for key in keys if isinstance(schema.get(key), int | float)]
    return choose(found) if found else None


def _digits(rng: Random, count: int) -> str:
    return "".join(rng.choice("0123456789abcdef") for _ in range(count))


_FORMATS = {
    "date": lambda rng: f"2026-{rng.randint(1, 12):02d}-{rng.randint(1, 28):02d}",
    "date-time": lambda rng: (
        f"2026-{rng.randint(1, 12):02d}-{rng.randint(1, 28):02d}T{rng.randint(0, 23):02d}:00:00Z"
    ),
    "time": lambda rng: f"{rng.randint(0, 23):02d}:00:00Z",
    "email": lambda rng: f"sandbox-{_digits(rng, 6)}@example.com",
    "hostname": lambda rng: f"sandbox-{_digits(rng, 6)}.example.com",
    "ipv4": lambda rng: f"192.0.2.{rng.randint(1, 254)}",
    "ipv6": lambda rng: f"2001:db8::{rng.randint(1, 9999):x}",
    "uri": lambda rng: f"https://example.com/{_digits(rng, 6)}",
    "uuid": lambda rng: "-".join(_digits(rng, count) for count in (8, 4, 4, 4, 12)),
}
