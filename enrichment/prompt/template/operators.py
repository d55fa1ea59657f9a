"""Arithmetic and concatenation whose results are known to be small before they are made."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, Final

from enrichment.prompt.errors import PromptRenderError, PromptTooExpensive
from enrichment.prompt.template.meter import Meter
from enrichment.prompt.template.missing import fail_if_missing
from enrichment.prompt.template.printf import printf

LARGEST_INTEGER: Final = 2**63 - 1
LONGEST_REPEAT: Final = 10_000  # characters
_ARITHMETIC: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
    "**": operator.pow,
}


def calculate(meter: Meter, sign: str, left: object, right: object) -> object:
    """Return `left sign right`. Raises PromptRenderError for types that have no such operation."""
    meter.tick()
    fail_if_missing(left)
    fail_if_missing(right)
    if isinstance(left, int | float) and isinstance(right, int | float):
        return _number(sign, left, right)
    if sign == "+":
        return _add(meter, left, right)
    if sign == "*" and isinstance(left, str) and isinstance(right, int):
        return _repeat(meter, left, right)
    if sign == "*" and isinstance(right, str) and isinstance(left, int):
        return _repeat(meter, right, left)
    if sign == "%" and isinstance(left, str):
        return printf(meter, left, right if isinstance(right, tuple) else (right,))
    raise PromptRenderError(f"cannot calculate {_kind(left)} {sign} {_kind(right)}")


def check_number(value: object) -> None:
    """Refuse an integer beyond 64 bits: its digits alone can fill the memory."""
    if isinstance(value, int) and abs(value) > LARGEST_INTEGER:
        raise PromptTooExpensive("the prompt calculates with an integer of more than 64 bits")


def _number(sign: str, left: float, right: float) -> object:
    check_number(left)
    check_number(right)
    if sign == "**" and isinstance(left, int) and abs(left) > 1 and right > LARGEST_INTEGER.bit_length():
        check_number(LARGEST_INTEGER + 1)  # at least 2 ** 64
    result = _ARITHMETIC[sign](left, right)
    check_number(result)
    if isinstance(result, complex):
        raise PromptRenderError("the result of ** is not a real number")
    return result


def _add(meter: Meter, left: object, right: object) -> object:
    if isinstance(left, str) and isinstance(right, str):
        meter.reserve(len(left) + len(right))
        return left + right
    if isinstance(left, list | tuple) and isinstance(right, list | tuple):
        meter.check_items(len(left) + len(right))
        added = [*left, *right]
        meter.charge(added)
        return added
    raise PromptRenderError(f"cannot calculate {_kind(left)} + {_kind(right)}; ~ joins anything as text")


def _repeat(meter: Meter, text: str, times: int) -> str:
    if len(text) * max(times, 0) > LONGEST_REPEAT:
        raise PromptTooExpensive(f"the prompt repeats a text to more than {LONGEST_REPEAT:,} characters")
    meter.tick()
    return text * times


def _kind(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, str):
        return "text"
    if isinstance(value, int | float):
        return "number"
    return "list" if isinstance(value, list | tuple) else "object"
