"""Strict JSON: one value, no repeated keys, no numbers that JSON or BSON do not know."""

from __future__ import annotations

import json
import math
from typing import NoReturn

_LONGEST_INTEGER = 20  # characters of -9223372036854775808


class NotJson(ValueError):
    """The text is not strict JSON; the message says where without quoting the text."""


def parse_json(text: str) -> object:
    """Return the one JSON value that `text` is. Raises NotJson."""
    try:
        return _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise NotJson(f"not JSON: {error.msg} at line {error.lineno}, column {error.colno}") from None
    except RecursionError:
        raise NotJson("not usable: nested too deeply") from None


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
