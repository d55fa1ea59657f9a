"""A text that matches a regular expression, if that is simple: no look-around, no back references."""

from __future__ import annotations

import re
from functools import lru_cache
from re import _constants as op  # type: ignore[attr-defined,unused-ignore]
from re import _parser  # type: ignore[attr-defined,unused-ignore]
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

_EXTRA_REPEATS = 3
_PRINTABLE = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ -_.,:"
_CATEGORY = {
    op.CATEGORY_DIGIT: "0123456789",
    op.CATEGORY_WORD: "abcdefghijklmnopqrstuvwxyz_0123456789",
    op.CATEGORY_SPACE: " ",
    op.CATEGORY_NOT_DIGIT: "abcdefghijklmnopqrstuvwxyz",
    op.CATEGORY_NOT_WORD: " -.",
    op.CATEGORY_NOT_SPACE: "abcdefghijklmnopqrstuvwxyz0123456789",
}


def matching_text(pattern: str, rng: Random, *, shortest: int = 0) -> str | None:
    """A text in which `pattern` is found, None if none could be made.

    Unbounded repeats are made long enough for `shortest` characters in the whole, if that is possible.
    """
    try:
        parsed = _parsed(pattern)
        for repeats in (_EXTRA_REPEATS, shortest, 2 * shortest):
            text = _sequence(parsed, rng, repeats)
            if len(text) >= shortest and re.search(pattern, text):
                return text
    except (re.error, RecursionError, ValueError):
        return None
    return None


@lru_cache(maxsize=256)
def _parsed(pattern: str) -> Any:
    return _parser.parse(pattern)


def _sequence(parsed: Any, rng: Random, repeats: int) -> str:
    return "".join(_one(kind, argument, rng, repeats) for kind, argument in parsed)


def _one(kind: Any, argument: Any, rng: Random, repeats: int) -> str:
    if kind in _LETTERS:
        return rng.choice(_LETTERS[kind](argument))
    if kind is op.AT:
        return ""
    if kind is op.BRANCH:
        return _sequence(rng.choice(argument[1]), rng, repeats)
    if kind is op.SUBPATTERN:
        return _sequence(argument[3], rng, repeats)
    if kind in (op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT):
        return _repeat(*argument, rng=rng, repeats=repeats)
    raise ValueError(str(kind))


def _repeat(least: int, most: int, inner: Any, *, rng: Random, repeats: int) -> str:
    times = rng.randint(least, min(most, least + repeats))
    if repeats > _EXTRA_REPEATS:
        times = min(most, max(least, repeats))
    return "".join(_sequence(inner, rng, repeats) for _ in range(times))


def _members(items: Any) -> list[str]:
    negated = bool(items) and items[0][0] is op.NEGATE
    found: list[str] = []
    for kind, argument in items:
        if kind is op.LITERAL:
            found.append(chr(argument))
        elif kind is op.RANGE:
            found.extend(chr(code) for code in range(argument[0], min(argument[1], argument[0] + 200) + 1))
        elif kind is op.CATEGORY:
            found.extend(_CATEGORY[argument])
    return [letter for letter in _PRINTABLE if letter not in found] if negated else found


_LETTERS: dict[Any, Callable[[Any], list[str]]] = {
    op.LITERAL: lambda code: [chr(code)],
    op.NOT_LITERAL: lambda code: [letter for letter in _PRINTABLE if ord(letter) != code],
    op.ANY: lambda _: list(_PRINTABLE),
    op.IN: _members,
}
