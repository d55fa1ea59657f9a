"""Filters over lists, objects and numbers. Each takes the meter first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, Final

from jinja2 import Undefined
from jinja2.filters import do_float, do_int, do_round

from enrichment.prompt.errors import PromptRenderError, PromptTooExpensive
from enrichment.prompt.template.meter import Meter
from enrichment.prompt.template.operators import check_number
from enrichment.prompt.template.printing import to_text

LARGEST_GROUPS: Final = 10_000
LONGEST_PATH: Final = 500


def default(_meter: Meter, value: object, default_value: object = "", boolean: bool = False) -> object:
    """Stand in for a missing value, or with `boolean` for any that counts as false."""
    return default_value if isinstance(value, Undefined) or (boolean and not value) else value


def default_if_none(_meter: Meter, value: object, d: object = "") -> object:
    """Stand in for null."""
    return d if value is None else value


def length(_meter: Meter, value: Any) -> int:
    """Count characters, entries or fields."""
    return len(value)


def first(_meter: Meter, value: object) -> object:
    """Return the first entry."""
    entries = _entries(value)
    if not entries:
        raise PromptRenderError("an empty list has no first entry")
    return entries[0]


def last(_meter: Meter, value: object) -> object:
    """Return the last entry."""
    entries = _entries(value)
    if not entries:
        raise PromptRenderError("an empty list has no last entry")
    return entries[-1]


def first_n(_meter: Meter, value: object, n: int) -> object:
    """Return the first `n` entries or characters."""
    return _entries(value)[: max(n, 0)]


def as_list(meter: Meter, value: object) -> list[object]:
    """Return the entries as a list; a text gives its characters."""
    entries = _entries(value)
    meter.check_items(len(entries))
    return list(entries)


def reverse(_meter: Meter, value: object) -> object:
    """Turn a list or a text around."""
    return _entries(value)[::-1]


def items(_meter: Meter, value: object) -> list[tuple[object, object]]:
    """Return the pairs of field and value."""
    return list(_mapping(value).items())


def keys(_meter: Meter, value: object) -> list[object]:
    """Return the names of the fields."""
    return list(_mapping(value).keys())


def values(_meter: Meter, value: object) -> list[object]:
    """Return the values of the fields."""
    return list(_mapping(value).values())


def extract_field(meter: Meter, value: object, path: str) -> object:
    """Follow a dotted path; what is not there is null."""
    if len(path) > LONGEST_PATH:
        raise PromptTooExpensive(f"a path has at most {LONGEST_PATH} characters")
    meter.tick()
    current = value
    for part in path.split("."):
        if isinstance(current, Mapping):
            current = current.get(part)
        elif (
            isinstance(current, list | tuple)
            and part.isascii()
            and part.isdigit()
            and int(part) < len(current)
        ):
            current = current[int(part)]
        else:
            return None
    return current


def join(meter: Meter, value: object, d: str = "", attribute: str | None = None) -> str:
    """Print the entries one after the other, with `d` between them."""
    entries = _entries(value)
    if attribute is not None:
        entries = [extract_field(meter, entry, attribute) for entry in entries]
    return _joined(meter, entries, str(d))


def concat(meter: Meter, values_: Sequence[object]) -> str:
    """Print the values one after the other: the `~` operator."""
    return _joined(meter, values_, "")


def list_to_text(meter: Meter, value: object, sep: str = ", ", last: str | None = None) -> str:
    """Print the entries with `sep` between them, and `last` before the last one."""
    entries = _entries(value)
    if last is None or len(entries) < 2:  # noqa: PLR2004  # one entry has nothing between
        return _joined(meter, entries, sep)
    return _joined(meter, (_joined(meter, entries[:-1], sep), entries[-1]), last)


def total(meter: Meter, value: object, attribute: str | None = None, start: float = 0) -> object:
    """Add numbers up."""
    result = start
    for entry in _entries(value):
        number = entry if attribute is None else extract_field(meter, entry, attribute)
        if not isinstance(number, int | float):
            raise PromptRenderError("only numbers can be added up")
        result += number
    check_number(result)
    return result


def batch(meter: Meter, value: object, linecount: int, fill_with: object = None) -> list[list[object]]:
    """Split into lists of `linecount` entries."""
    entries = list(_entries(value))
    size = _groups(linecount)
    rows = [entries[start : start + size] for start in range(0, len(entries), size)]
    if rows and fill_with is not None:
        meter.check_items(len(entries) + size)
        rows[-1] += [fill_with] * (size - len(rows[-1]))
    return rows


def slice_(_meter: Meter, value: object, slices: int, fill_with: object = None) -> list[list[object]]:
    """Split into so many lists, as even as possible."""
    entries = list(_entries(value))
    number = _groups(slices)
    short, longer = divmod(len(entries), number)
    rows = []
    start = 0
    for index in range(number):
        end = start + short + (index < longer)
        row = entries[start:end]
        rows.append([*row, fill_with] if fill_with is not None and longer and index >= longer else row)
        start = end
    return rows


def absolute(_meter: Meter, value: float) -> float:
    """Drop the sign of a number."""
    return abs(value)


def integer(_meter: Meter, value: object, default: int = 0, base: int = 10) -> int:
    """Read a number as a whole one, or take the default."""
    number = do_int(value[:100] if isinstance(value, str) else value, default, base)
    check_number(number)
    return number


def decimal(_meter: Meter, value: object, default: float = 0.0) -> float:
    """Read a number, or take the default."""
    return do_float(value[:400] if isinstance(value, str) else value, default)


def rounded(_meter: Meter, value: float, precision: int = 0, method: Any = "common") -> float:
    """Round a number."""
    check_number(value)
    return do_round(value, max(-300, min(precision, 300)), method)


def as_it_is(_meter: Meter, value: object) -> object:
    """Leave a value alone: prompts are not HTML, so everything is `safe`."""
    return value


def _entries(value: object) -> Any:
    if isinstance(value, str | list | tuple):
        return value
    if isinstance(value, Mapping):
        return list(value)
    raise PromptRenderError("there is no list, text or object to take entries from")


def _mapping(value: object) -> Mapping[object, object]:
    if not isinstance(value, Mapping):
        raise PromptRenderError("there is no object to take fields from")
    return value


def _groups(number: int) -> int:
    if not 1 <= number <= LARGEST_GROUPS:
        raise PromptRenderError(f"a number of groups is between 1 and {LARGEST_GROUPS:,}")
    return number


def _joined(meter: Meter, entries: Iterable[object], separator: str) -> str:
    texts: list[str] = []
    size = 0
    for entry in entries:
        texts.append(to_text(meter, entry))
        size += len(texts[-1]) + len(separator)
        if size > meter.limits.value:
            meter.reserve(size)
    meter.reserve(size)
    return separator.join(texts)


def materialized(meter: Meter, made: Iterable[object]) -> list[object]:
    """Return the entries of a lazy result."""
    entries = list(islice(made, meter.limits.items + 1))
    meter.check_items(len(entries))
    return entries


Filter = Callable[..., object]
