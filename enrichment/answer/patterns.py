"""Regular expressions of schemas, with a time limit.

The standard library's `re` cannot be stopped, holds the interpreter while it searches, and needs hours for
`(a+)+$` on forty characters. The author of a schema chooses the expression, a model the text.
"""

from __future__ import annotations

from typing import Final

import regex  # type: ignore[import-untyped]  # it ships no types

LONGEST_TEXT: Final = 100_000  # characters that an expression is tried on
LONGEST_PATTERN: Final = 1_000
SECONDS: Final = 0.25  # for one search


class PatternTooSlow(Exception):
    """A regular expression could not be decided in time."""


def pattern_problem(pattern: str) -> str | None:
    """Return why the expression cannot be used, or None."""
    if len(pattern) > LONGEST_PATTERN:
        return f"a regular expression has at most {LONGEST_PATTERN:,} characters"
    try:
        regex.compile(pattern)
    except (regex.error, RecursionError, OverflowError) as error:
        return f"not a regular expression: {error}"
    return None


def matches(pattern: str, text: str, *, seconds: float = SECONDS) -> bool:
    """Say whether the expression is found in the text. Raises PatternTooSlow after `seconds`."""
    if len(text) > LONGEST_TEXT:
        raise PatternTooSlow(f"patterns are tried on texts of at most {LONGEST_TEXT:,} characters")
    try:
        return regex.search(pattern, text, timeout=seconds) is not None
    except TimeoutError:
        raise PatternTooSlow("the pattern takes too long on this text") from None
