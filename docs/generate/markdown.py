"""Pieces of Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

WRITTEN: Final = "<!-- Written by `make docs` from the code; a test compares. -->"


def page(title: str, *parts: str) -> str:
    """A page that says that nobody writes it by hand."""
    return "\n\n".join([f"# {title}", WRITTEN, *(part.strip("\n") for part in parts)]) + "\n"


def table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; `|` in cells is escaped."""
    return "\n".join(_lines(headers, rows))


def _lines(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(headers)} |"
    yield f"|{'---|' * len(headers)}"
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"
