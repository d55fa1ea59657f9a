"""Finds the JSON value in a model's text. What had to be taken away or mended is on record as a fix.

Only what cannot change the meaning is mended. An object inside an unclosed one, or one of several, is never
taken: the first would be a part of the answer, the second a guess.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from enrichment.answer_json import NotJson, parse_json

if TYPE_CHECKING:
    from collections.abc import Iterator

_OBJECT_START = re.compile(r'\{\s*(?:["}]|\Z)')
_MARK = re.compile(r'[{}\[\],"\\]')
_FENCE = "```"
_LANGUAGE = re.compile(r"[A-Za-z0-9_+-]{0,20}[ \t]*\r?\n?")
_CLOSER_AFTER_COMMA = re.compile(r"\s*[}\]]")


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


def _braces(text: str) -> Iterator[tuple[int, str]]:
    """Yield the braces of objects: none in prose, none in strings (which exist only in objects)."""
    depth = 0
    in_string = False
    skip_to = 0
    for match in _MARK.finditer(text):
        position, character = match.start(), match.group()
        if position < skip_to:
            continue
        if in_string:
            skip_to = position + 2 if character == "\\" else position
            in_string = character != '"'
        elif depth > 0 and character == '"':
            in_string = True
        elif character == "{" and (depth > 0 or _OBJECT_START.match(text, position)):
            depth += 1
            yield position, character
        elif character == "}" and depth > 0:
            depth -= 1
            yield position, character


def _without_trailing_commas(text: str) -> str:
    kept = []
    done = 0
    in_string = False
    skip_to = 0
    for match in _MARK.finditer(text):
        position, character = match.start(), match.group()
        if position < skip_to:
            continue
        if in_string:
            skip_to = position + 2 if character == "\\" else position
            in_string = character != '"'
        elif character == '"':
            in_string = True
        elif character == "," and _CLOSER_AFTER_COMMA.match(text, position + 1):
            kept.append(text[done:position])
            done = position + 1
    return "".join((*kept, text[done:]))
