"""What templates can call on a value (`document.name.upper()`), and attributes that are not fields."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime, time
from typing import Any, Final

from jinja2.runtime import LoopContext
from jinja2.utils import Namespace

from enrichment.prompt.errors import PromptRenderError, PromptTooExpensive
from enrichment.prompt.template import list_filters, text_filters
from enrichment.prompt.template.meter import Meter

Method = Callable[..., object]

_WIDEST: Final = 1_000
_ABSENT: Final = object()
_LOOP: Final = frozenset(
    {"depth", "depth0", "first", "index", "index0", "last", "length"}
    | {"nextitem", "previtem", "revindex", "revindex0"}
)
_MOMENT: Final = frozenset({"day", "hour", "microsecond", "minute", "month", "second", "year"})


def attribute_of(value: object, name: str) -> object:
    """Return an attribute of a value that is no object of the document. Raises KeyError if it has none."""
    if isinstance(value, LoopContext):
        known = name in _LOOP
    elif isinstance(value, date | time):
        known = name in _MOMENT
    elif isinstance(value, Namespace):
        known = not name.startswith("_")
    else:
        known = isinstance(value, tuple) and name in getattr(value, "_fields", ())  # what groupby gives
    found = getattr(value, name, _ABSENT) if known else _ABSENT
    if found is _ABSENT:
        raise KeyError(name)
    return found


def method_of(value: object, name: str) -> Method | None:
    """Return what `name` does when it is called on the value, taking the meter and the value first."""
    for kind, methods in _METHODS:
        if isinstance(value, kind):
            return methods.get(name)
    return None


def _plain(name: str) -> Method:
    function: Callable[..., object] = getattr(str, name)
    return lambda _meter, text, *args: function(text, *args)


def _searching(name: str) -> Method:
    function: Callable[..., object] = getattr(str, name)

    def search(_meter: Meter, text: str, *args: object) -> object:
        for argument in args:
            text_filters.check_needle(argument)
        return function(text, *args)

    return search


def _split(name: str) -> Method:
    function: Callable[..., list[object]] = getattr(str, name)

    def split(meter: Meter, text: str, sep: str | None = None, maxsplit: int = -1) -> list[object]:
        if name == "rsplit":
            text_filters.check_needle(sep)
        most = meter.limits.items
        parts = function(text, sep, min(maxsplit, most) if maxsplit >= 0 else most)
        meter.check_items(len(parts))
        return parts

    return split


def _splitlines(meter: Meter, text: str) -> list[str]:
    meter.check_items(sum(map(text.count, "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029")))
    return text.splitlines()


def _padded(name: str) -> Method:
    function: Callable[..., str] = getattr(str, name)

    def pad(_meter: Meter, text: str, width: int, *fill: str) -> str:
        if width > _WIDEST:
            raise PromptTooExpensive(f"a width is at most {_WIDEST:,}")
        return function(text, width, *fill)

    return pad


def _join(meter: Meter, separator: str, entries: object) -> str:
    return list_filters.join(meter, entries, separator)


def _get(_meter: Meter, value: Mapping[str, object], key: str, default: object = None) -> object:
    return value.get(key, default)


def _count(_meter: Meter, value: Any, entry: object) -> int:
    return int(value.count(entry))


def _index(_meter: Meter, value: Any, entry: object) -> int:
    return int(value.index(entry))


def _isoformat(_meter: Meter, value: datetime | date | time) -> str:
    return value.isoformat()


def _weekday(_meter: Meter, value: date) -> int:
    return value.weekday()


def _isoweekday(_meter: Meter, value: date) -> int:
    return value.isoweekday()


def _date(_meter: Meter, value: datetime) -> date:
    return value.date()


def _time(_meter: Meter, value: datetime) -> time:
    return value.time()


def _timestamp(_meter: Meter, value: datetime) -> float:
    return value.timestamp()


def _cycle(_meter: Meter, loop: LoopContext, *values: object) -> object:
    if not values:
        raise PromptRenderError("loop.cycle() needs values")
    return loop.cycle(*values)


def _changed(_meter: Meter, loop: LoopContext, *values: object) -> bool:
    return loop.changed(*values)


_SIMPLE: Final = [
    "capitalize",
    "casefold",
    "count",
    "endswith",
    "find",
    "isalnum",
    "isalpha",
    "isdigit",
    "islower",
    "isnumeric",
    "isspace",
    "isupper",
    "lower",
    "partition",
    "removeprefix",
    "removesuffix",
    "startswith",
    "swapcase",
    "title",
    "upper",
]
_TEXT: Final[Mapping[str, Method]] = {
    **{name: _plain(name) for name in _SIMPLE},
    **{name: _searching(name) for name in ("lstrip", "rfind", "rpartition", "rstrip", "strip")},
    **{name: _padded(name) for name in ("center", "ljust", "rjust", "zfill")},
    **{name: _split(name) for name in ("rsplit", "split")},
    "join": _join,
    "replace": text_filters.replace,
    "splitlines": _splitlines,
}
_FIELDS: Final[Mapping[str, Method]] = {
    "get": _get,
    "items": list_filters.items,
    "keys": list_filters.keys,
    "values": list_filters.values,
}
_DAY: Final[Mapping[str, Method]] = {
    "isoformat": _isoformat,
    "isoweekday": _isoweekday,
    "strftime": text_filters.strftime,
    "weekday": _weekday,
}
_METHODS: Final[tuple[tuple[type | tuple[type, ...], Mapping[str, Method]], ...]] = (
    (str, _TEXT),
    (Mapping, _FIELDS),
    ((list, tuple), {"count": _count, "index": _index}),
    (datetime, {**_DAY, "date": _date, "time": _time, "timestamp": _timestamp}),
    (date, _DAY),
    (time, {"isoformat": _isoformat}),
    (LoopContext, {"cycle": _cycle, "changed": _changed}),
)
