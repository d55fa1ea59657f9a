"""How the console writes figures: short, aligned, and the same everywhere."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from django import template

from executions_app.cost import NANO

register = template.Library()

UNKNOWN: Final = "\N{EN DASH}"

_CENT: Final = 0.01
_STEPS: Final = ((86_400, "d", 3_600, "h"), (3_600, "h", 60, "min"), (60, "min", 1, "s"))
_THOUSANDS: Final = ((1_000_000_000, "G"), (1_000_000, "M"), (100_000, "k"))


@register.filter
def lasting(milliseconds: float | None) -> str:
    """Write a duration: `340 ms`, `1.24 s`, `3 min 5 s`; a dash if it is not known."""
    if milliseconds is None:
        return UNKNOWN
    if not milliseconds:
        return "0 s"
    if milliseconds < 999.5:  # noqa: PLR2004  # what rounds to a second is one
        return f"{milliseconds:.0f} ms"
    seconds = milliseconds / 1000
    if seconds < 60:  # noqa: PLR2004
        return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.1f} s"  # noqa: PLR2004
    whole = round(seconds)
    size, unit, smaller, small_unit = next(step for step in _STEPS if whole >= step[0])
    rest = whole % size // smaller
    return f"{whole // size} {unit} {rest} {small_unit}" if rest else f"{whole // size} {unit}"


@register.filter
def seconds(value: float | None) -> str:
    """Write a duration that is given in seconds."""
    return lasting(None if value is None else value * 1000)


@register.filter
def since(moment: datetime | None, now: datetime) -> str:
    """Write how long ago a moment was; clocks that disagree make it now."""
    if moment is None:
        return UNKNOWN
    ago = max(0, round((now - moment).total_seconds()))
    return f"{ago} s" if ago < 60 else lasting(ago * 1000)  # noqa: PLR2004


@register.filter
def grouped(number: float | None) -> str:
    """Write a number with separators, and a large one in thousands or millions: `12,345`, `1.2 M`."""
    if number is None:
        return UNKNOWN
    for size, unit in _THOUSANDS:
        if number >= size:
            divided = number / (1_000 if unit == "k" else size)
            return f"{divided:,.0f} k" if unit == "k" else f"{divided:.1f} {unit}"
    return f"{number:,.0f}" if number == int(number) else f"{number:,.1f}"


@register.filter
def money(nanousd: int | None) -> str:
    """Write a price: cents from a cent on, four digits below, so that columns align."""
    if nanousd is None:
        return UNKNOWN
    dollars = nanousd / NANO
    return f"${dollars:,.2f}" if dollars >= _CENT or not nanousd else f"${dollars:.4f}"
