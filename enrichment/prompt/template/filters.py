"""Which filters templates have, each behind one checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sized
from typing import Any, Final

from jinja2 import filters as jinja
from jinja2 import pass_context
from jinja2.runtime import Context

from enrichment.prompt.errors import PromptRenderError, PromptTooExpensive
from enrichment.prompt.template import list_filters, text_filters
from enrichment.prompt.template.list_filters import materialized
from enrichment.prompt.template.meter import VALUE_WEIGHT, Meter, meter_of
from enrichment.prompt.template.missing import fail_if_missing

LARGEST_ARGUMENT: Final = 1_000_000
_OWN: Final[Mapping[str, Callable[..., object]]] = {
    "abs": list_filters.absolute,
    "batch": list_filters.batch,
    "capitalize": text_filters.capitalize,
    "count": list_filters.length,
    "d": list_filters.default,
    "default": list_filters.default,
    "default_if_none": list_filters.default_if_none,
    "e": text_filters.escape,
    "escape": text_filters.escape,
    "extract_field": list_filters.extract_field,
    "filesizeformat": text_filters.filesizeformat,
    "first": list_filters.first,
    "first_n": list_filters.first_n,
    "float": list_filters.decimal,
    "format": text_filters.format_,
    "format_date": text_filters.format_date,
    "indent": text_filters.indent,
    "int": list_filters.integer,
    "items": list_filters.items,
    "join": list_filters.join,
    "json": text_filters.json,
    "keys": list_filters.keys,
    "last": list_filters.last,
    "length": list_filters.length,
    "list": list_filters.as_list,
    "list_to_text": list_filters.list_to_text,
    "lower": text_filters.lower,
    "replace": text_filters.replace,
    "reverse": list_filters.reverse,
    "round": list_filters.rounded,
    "safe": list_filters.as_it_is,
    "sanitize": text_filters.sanitize,
    "slice": list_filters.slice_,
    "string": text_filters.string,
    "striptags": text_filters.striptags,
    "sum": list_filters.total,
    "title": text_filters.title,
    "tojson": text_filters.json,
    "trim": text_filters.trim,
    "truncate": text_filters.truncate,
    "truncate_words": text_filters.truncate_words,
    "upper": text_filters.upper,
    "urlencode": text_filters.urlencode,
    "values": list_filters.values,
    "wordcount": text_filters.wordcount,
}
# Jinja's own whose results are no larger than what they are given.
_OF_CONTEXT: Final[Mapping[str, Callable[..., object]]] = {
    "map": jinja.sync_do_map,
    "reject": jinja.sync_do_reject,
    "rejectattr": jinja.sync_do_rejectattr,
    "select": jinja.sync_do_select,
    "selectattr": jinja.sync_do_selectattr,
}
_OF_ENVIRONMENT: Final[Mapping[str, Callable[..., object]]] = {
    "groupby": jinja.sync_do_groupby,
    "max": jinja.do_max,
    "min": jinja.do_min,
    "sort": jinja.do_sort,
    "unique": jinja.sync_do_unique,
}
_TAKES_MISSING: Final = frozenset({"d", "default"})


def build_filters() -> dict[str, Callable[..., object]]:
    """Return the filters by name."""
    built: dict[str, Callable[..., object]] = {}
    for name, function in _OWN.items():
        built[name] = _checked(name, _with_meter(function))
    for name, function in _OF_CONTEXT.items():
        built[name] = _checked(name, function)
    for name, function in _OF_ENVIRONMENT.items():
        built[name] = _checked(name, _with_environment(function))
    built["dictsort"] = _checked("dictsort", _dictsort)
    return built


def check_arguments(arguments: tuple[object, ...]) -> None:
    """Refuse arguments that are missing, and numbers that could only be there to do harm."""
    for argument in arguments:
        fail_if_missing(argument)
        if isinstance(argument, int) and abs(argument) > LARGEST_ARGUMENT:
            raise PromptTooExpensive(f"an argument is larger than {LARGEST_ARGUMENT:,}")


def _checked(name: str, function: Callable[..., object]) -> Callable[..., object]:
    takes_missing = name in _TAKES_MISSING

    @pass_context
    def run(context: Context, value: object, *args: object, **kwargs: object) -> object:
        meter = meter_of(context)
        meter.tick()
        if not takes_missing:
            fail_if_missing(value)
            check_arguments((*args, *kwargs.values()))
        if name not in _OWN:
            _reserve_paths(meter, value, (*args, *kwargs.values()))
        try:
            made = function(context, value, *args, **kwargs)
            if isinstance(made, Iterator):
                made = materialized(meter, made)
        except (TypeError, AttributeError) as error:
            raise PromptRenderError(f"filter {name!r}: {error}") from error
        if made is not value:
            meter.charge(made)
        return made

    return run


def _reserve_paths(meter: Meter, value: object, arguments: tuple[object, ...]) -> None:
    """Count the steps of an attribute path before Jinja takes each of them for each entry."""
    steps = sum(text.count(".") + text.count(",") + 1 for text in arguments if isinstance(text, str))
    entries = len(value) if isinstance(value, Sized) else 1
    meter.reserve(VALUE_WEIGHT * steps * entries)


def _with_meter(function: Callable[..., object]) -> Callable[..., object]:
    def run(context: Context, value: object, *args: object, **kwargs: object) -> object:
        return function(meter_of(context), value, *args, **kwargs)

    return run


def _with_environment(function: Callable[..., object]) -> Callable[..., object]:
    def run(context: Context, value: object, *args: object, **kwargs: object) -> object:
        return function(context.environment, value, *args, **kwargs)

    return run


def _dictsort(_context: Context, value: Any, *args: Any, **kwargs: Any) -> object:
    return jinja.do_dictsort(value, *args, **kwargs)
