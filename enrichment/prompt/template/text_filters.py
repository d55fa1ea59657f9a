"""Filters that make text. Each takes the meter first and checks what it will make before it makes it."""

from __future__ import annotations

import html
import re
from datetime import date, datetime
from itertools import islice
from typing import Final
from urllib.parse import quote

from jinja2.filters import do_filesizeformat, do_title

from enrichment.prompt.errors import PromptRenderError, PromptTooExpensive
from enrichment.prompt.template.meter import Meter
from enrichment.prompt.template.printf import printf
from enrichment.prompt.template.printing import to_json, to_text

LONGEST_SANITIZED: Final = 10_000
WIDEST_INDENT: Final = 100
LONGEST_NEEDLE: Final = 100
_WORD_WEIGHT: Final = 4  # a list of words takes more memory than the text that they are in
_WORD: Final = re.compile(r"\S+")
_LETTERS: Final = re.compile(r"\w+")
_INVISIBLE: Final = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]"
)
_DATE_FORMAT: Final = re.compile(r"(?:[^%]|%-?[aAbBcdDeFGHIjklmMnpRsStTuUVwWxXyYzZ%])*", re.DOTALL)
_LONGEST_DATE_FORMAT: Final = 100


def json(meter: Meter, value: object, indent: int | None = None) -> str:
    """Print a value as JSON."""
    return to_json(meter, value, indent)


def string(meter: Meter, value: object) -> str:
    """Print a value as it would be printed anyway."""
    return to_text(meter, value)


def upper(meter: Meter, value: object) -> str:
    """Put a text in upper case."""
    return to_text(meter, value).upper()


def lower(meter: Meter, value: object) -> str:
    """Put a text in lower case."""
    return to_text(meter, value).lower()


def capitalize(meter: Meter, value: object) -> str:
    """Put the first letter in upper case, the others in lower case."""
    return to_text(meter, value).capitalize()


def title(meter: Meter, value: object) -> str:
    """Put the first letter of each word in upper case."""
    text = to_text(meter, value)
    meter.reserve(_WORD_WEIGHT * len(text))
    return str(do_title(text))


def trim(meter: Meter, value: object, chars: str | None = None) -> str:
    """Take white space, or these characters, from both ends."""
    check_needle(chars)
    return to_text(meter, value).strip(chars)


def replace(meter: Meter, value: object, old: str, new: str, count: int = -1) -> str:
    """Replace one text by another everywhere, or so many times."""
    text, old, new = to_text(meter, value), str(old), str(new)
    found = text.count(old)
    times = found if count < 0 else min(found, count)
    meter.reserve(len(text) + times * max(len(new) - len(old), 0))
    return text.replace(old, new, times)


def indent(meter: Meter, value: object, width: int = 4, first: bool = False, blank: bool = False) -> str:
    """Put spaces before each line, the first one and blank ones only if told."""
    if not 0 <= width <= WIDEST_INDENT:
        raise PromptTooExpensive(f"indent's width is at most {WIDEST_INDENT}")
    text = to_text(meter, value)
    meter.check_items(text.count("\n"))
    lines = text.split("\n")
    meter.reserve(sum(map(len, lines)) + (width + 1) * len(lines))
    space = " " * width
    return "\n".join(
        space + line if (first or number) and (blank or line.strip()) else line
        for number, line in enumerate(lines)
    )


def truncate(  # noqa: PLR0917  # as Jinja's
    meter: Meter, value: object, length: int = 255, killwords: bool = False, end: str = "...", leeway: int = 5
) -> str:
    """Cut a text to a length, at a word if possible, and mark the cut."""
    text = to_text(meter, value)
    if len(text) <= length + leeway:
        return text
    cut = text[: max(length - len(end), 0)]
    return (cut if killwords else cut.rsplit(" ", 1)[0]) + end


def truncate_words(meter: Meter, value: object, n: int, suffix: str = "...") -> str:
    """Keep the first `n` words, and mark the cut."""
    text = to_text(meter, value)
    words = [match.end() for match in islice(_WORD.finditer(text), n + 1)]
    if len(words) <= n:
        return text
    return (text[: words[n - 1]] if n > 0 else "") + suffix


def wordcount(meter: Meter, value: object) -> int:
    """Count words."""
    return sum(1 for _ in _LETTERS.finditer(to_text(meter, value)))


def striptags(meter: Meter, value: object) -> str:
    """Take out HTML tags and comments, resolve entities and fold white space."""
    text = to_text(meter, value)
    meter.reserve(_WORD_WEIGHT * len(text))
    parts: list[str] = []
    place = 0
    while (start := text.find("<", place)) >= 0:
        parts.append(text[place:start])
        closing = "-->" if text.startswith("<!--", start) else ">"
        end = text.find(closing, start)
        if end < 0:  # not a tag: nothing after it can be one either
            place = start
            break
        place = end + len(closing)
    parts.append(text[place:])
    return " ".join(html.unescape("".join(parts)).split())


def escape(meter: Meter, value: object) -> str:
    """Write HTML's special characters as entities."""
    text = to_text(meter, value)
    meter.reserve(len(text))
    text = html.escape(text)
    meter.reserve(len(text))
    return text


def urlencode(meter: Meter, value: object) -> str:
    """Write a text so that it can be a part of a URL."""
    text = to_text(meter, value)
    meter.reserve(_WORD_WEIGHT * len(text))
    return quote(text, safe="/")


def sanitize(meter: Meter, value: object) -> str:
    """Break double braces, take out invisible characters and cut to 10,000 characters."""
    text = _INVISIBLE.sub("", to_text(meter, value)[: 2 * LONGEST_SANITIZED])
    return re.sub(r"\{(?=\{)|\}(?=\})", lambda brace: f"{brace.group()} ", text)[:LONGEST_SANITIZED]


def format_date(meter: Meter, value: object, fmt: str = "%Y-%m-%d") -> str:
    """Print a date, or a text that is one in ISO form; null is empty, other texts stay."""
    if value is None:
        return ""
    moment = value
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            return value
    if not isinstance(moment, date):
        return to_text(meter, value)
    return strftime(meter, moment, fmt)


def check_needle(text: object) -> None:
    """Refuse a long text where Python compares it with every place of another one."""
    if isinstance(text, str) and len(text) > LONGEST_NEEDLE:
        raise PromptTooExpensive(f"the argument has at most {LONGEST_NEEDLE} characters here")


def strftime(_meter: Meter, moment: date, fmt: str) -> str:
    """Print a date. Raises PromptRenderError for directives that are not standard (widths among them)."""
    if len(fmt) > _LONGEST_DATE_FORMAT or not _DATE_FORMAT.fullmatch(fmt):
        raise PromptRenderError(f"the date format {fmt[:40]!r} is not known")
    return moment.strftime(fmt)


def format_(meter: Meter, value: object, *args: object) -> str:
    """Fill `%` directives."""
    return printf(meter, to_text(meter, value), args)


def filesizeformat(_meter: Meter, value: float, binary: bool = False) -> str:
    """Print a number of bytes as kB, MB and so on."""
    return do_filesizeformat(float(value), binary)
