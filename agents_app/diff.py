"""What changed between two texts, line by line."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from enum import Enum
from typing import NamedTuple

CONTEXT_LINES = 3


class Change(Enum):
    """What happened to a line; the value is the sign in front of it."""

    SAME = " "
    ADDED = "+"
    REMOVED = "-"
    PLACE = "@"


class DiffLine(NamedTuple):
    """A line and what happened to it."""

    change: Change
    text: str


def diff(old: str, new: str) -> tuple[DiffLine, ...]:
    """Return the changed lines with three lines of context; nothing if the texts are equal."""
    lines = difflib.unified_diff(old.splitlines(), new.splitlines(), n=CONTEXT_LINES, lineterm="")
    # The first two lines name the files.
    return tuple(DiffLine(Change(line[0]), line if line[0] == "@" else line[1:]) for line in list(lines)[2:])


def lines_json(lines: Iterable[DiffLine]) -> list[dict[str, str]]:
    """Return lines as programs read them."""
    return [{"change": line.change.value, "text": line.text} for line in lines]
