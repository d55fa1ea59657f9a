"""Durations as people type them: `90d`, `12h`, `1d12h`."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any, Final

import click

_UNITS: Final = {"d": "days", "h": "hours", "m": "minutes", "s": "seconds"}
_WHOLE: Final = re.compile(r"(?:\d{1,5}[dhms])+")
_PIECE: Final = re.compile(r"(\d+)([dhms])")


class Lifetime(click.ParamType[timedelta]):
    """A duration on the command line."""

    name = "DURATION"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """Read it."""
        if isinstance(value, timedelta):
            return value
        text = str(value).strip()
        if not _WHOLE.fullmatch(text):
            self.fail(f"'{text}' is no duration; write 90d, 12h, 30m or 1d12h", param, ctx)
        total = timedelta()
        for number, unit in _PIECE.findall(text):
            total += timedelta(**{_UNITS[unit]: int(number)})
        return total
