"""A rate on the command line: `50`, `50/s`, `90/m` or `1000/h`."""

from __future__ import annotations

import math
from typing import Any, Final

import click

_SECONDS: Final = {"s": 1, "m": 60, "min": 60, "h": 3600}


class _Rate(click.ParamType[float]):
    """A rate, as events a second."""

    name = "rate"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read `N/s`. Raises UsageError."""
        if isinstance(value, float):
            return value
        number, _, unit = str(value).strip().partition("/")
        try:
            rate = float(number) / _SECONDS[unit.strip() or "s"]
        except (ValueError, KeyError):
            rate = math.nan
        if not 0 < rate < math.inf:
            self.fail(f"{value!r} is no rate; write 50/s, 90/m or 1000/h", param, ctx)
        return rate


RATE: Final = _Rate()
