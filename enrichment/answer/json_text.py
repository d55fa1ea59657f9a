"""Finds and reads the JSON value in a model's text. What had to be taken away or mended is kept as a fix.

Only what cannot change the meaning is mended. An object inside an unclosed one, or one of several, is never
taken: the first would be a part of the answer, the second a guess.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Iterator

_OBJECT_START = re.compile(r'\{\s*(?:["}]|\Z)')
_MARK = re.compile(r'[{}\[\],"\\]')
_FENCE = "```"
_LANGUAGE = re.compile(r"[A-Za-z0-9_+-]{0,20}[ \t]*\r?\n?")
_CLOSER_AFTER_COMMA = re.compile(r"\s*[}\]]")
_LONGEST_INTEGER = 20  # characters of -9223372036854775808


class NotJson(ValueError):
    """The text is not strict JSON; the message says where without quoting the text."""


@dataclass(frozen=True, slots=True)
class Extracted:
    """The value that a text holds, and what was done to the text to read it."""

    value: object
    fixes: tuple[str, ...] = ()


def looks_like_object(text: str) -> bool:
    """Say whether the text starts as a JSON object does."""
    return _OBJECT_START.match(text) is not None


def unwrap(text: str) -> tuple[str, tuple[str, ...]]:
    """Return the text without a byte order mark, a reasoning block before it and one code fence around it."""
    fixes: tuple[str, ...] = ()
    body = text.strip().removeprefix("\ufeff").strip()
    if body.startswith("<think>") and "</think>" in body:
        body = body.partition("</think>")[2].strip()
        fixes += ("reasoning_removed",)
    inner = _inside_fence(body)
    if inner is not None:
        return inner, (*fixes, "code_fence")
    return body, fixes


def parse_json(text: str) -> object:
    """Return the one JSON value that `text` is.

    Raises NotJson, also for repeated keys and for numbers that JSON or BSON do not know.
    """
    try:
        return _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise NotJson(f"not JSON: {error.msg} at line {error.lineno}, column {error.colno}") from None
    except RecursionError:
        raise NotJson("not usable: nested too deeply") from None


def extract(text: str) -> Extracted:
    """Return the JSON value in the text: all of it, else the one object in it. Raises NotJson."""
    body, fixes = unwrap(text)
    try:
        return _read(body, fixes)
    except NotJson:
        start, end = _only_object(body)
        if end - start == len(body):
            raise
        return _read(body[start:end], (*fixes, "surrounding_text"))


def _read(text: str, fixes: tuple[str, ...]) -> Extracted:
    try:
        return Extracted(parse_json(text), fixes)
    except NotJson:
        mended = _without_trailing_commas(text)
        if mended == text:
            raise
    return Extracted(parse_json(mended), (*fixes, "trailing_comma"))


def _inside_fence(text: str) -> str | None:
    if not text.startswith(_FENCE) or not text.endswith(_FENCE) or len(text) < 2 * len(_FENCE):
        return None
    inner = text[len(_FENCE) : -len(_FENCE)]
    if f"\n{_FENCE}" in inner:  # two blocks: not one fence around everything
        return None
    language = _LANGUAGE.match(inner)
    return inner[language.end() if language else 0 :].strip()


def _only_object(text: str) -> tuple[int, int]:
    found = []
    for span in _objects(text):
        found.append(span)
        if len(found) > 1:
            raise NotJson("the text holds more than one JSON object")
    if not found:
        raise NotJson("the text holds no JSON object")
    start, end = found[0]
    before = text[:start]
    if _opens(before, "{", "}") or _opens(before, "[", "]") or text[end:].lstrip().startswith("]"):
        raise NotJson("the JSON object is a part of something else")
    return start, end


def _opens(text: str, opening: str, closing: str) -> bool:
    """Say whether a bracket in the text is not closed in it."""
    depth = 0
    for character in text:
        if character == opening:
            depth += 1
        elif character == closing and depth > 0:
            depth -= 1
    return depth > 0


def _objects(text: str) -> Iterator[tuple[int, int]]:
    """Yield where each outermost object starts and ends, in linear time."""
    depth = start = 0
    for position, character in _braces(text):
        if depth == 0:
            start = position
        if character == "{":
            depth += 1
        elif character == "}":
            depth -= 1
            if depth == 0:
                yield start, position + 1
    if depth > 0:
        raise NotJson("the JSON object is not closed, as if the answer was cut off")


@dataclass(slots=True)
class _Quotes:
    """Whether a walk over the marks of a text is inside a string."""

    open: bool = False
    escaped: int = -1  # the position after a backslash

    def enclose(self, position: int, character: str) -> bool:
        """Say whether the mark belongs to a string that was open before it; a quote closes that string."""
        if not self.open:
            return False
        if position != self.escaped:
            self.escaped = position + 1 if character == "\\" else -1
            self.open = character != '"'
        return True


def _braces(text: str) -> Iterator[tuple[int, str]]:
    """Yield the braces of objects: none in prose, none in strings (which exist only in objects)."""
    depth = 0
    quotes = _Quotes()
    for match in _MARK.finditer(text):
        position, character = match.start(), match.group()
        if quotes.enclose(position, character):
            continue
        if depth > 0 and character == '"':
            quotes.open = True
        elif character == "{" and (depth > 0 or _OBJECT_START.match(text, position)):
            depth += 1
            yield position, character
        elif character == "}" and depth > 0:
            depth -= 1
            yield position, character


def _without_trailing_commas(text: str) -> str:
    kept = []
    done = 0
    quotes = _Quotes()
    for match in _MARK.finditer(text):
        position, character = match.start(), match.group()
        if quotes.enclose(position, character):
            continue
        if character == '"':
            quotes.open = True
        elif character == "," and _CLOSER_AFTER_COMMA.match(text, position + 1):
            kept.append(text[done:position])
            done = position + 1
    return "".join((*kept, text[done:]))


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise NotJson("not strict JSON: an object names a key twice")
    return value


def _integer(text: str) -> int:
    if len(text) > _LONGEST_INTEGER:
        raise NotJson("not usable: an integer has more than 64 bits")
    return int(text)


def _float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise NotJson("not usable: a number is too large")
    return number


def _constant(name: str) -> NoReturn:
    raise NotJson(f"not JSON: {name} is no JSON number")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_integer, parse_float=_float, parse_constant=_constant
)
