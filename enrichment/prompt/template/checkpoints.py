"""The checkpoints that `rewrite` puts into templates: filters with names that no author can write."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from jinja2 import pass_context
from jinja2.runtime import Context

from enrichment.prompt.errors import PromptRenderError
from enrichment.prompt.template.filters import check_arguments
from enrichment.prompt.template.list_filters import concat
from enrichment.prompt.template.meter import Meter, meter_of
from enrichment.prompt.template.methods import method_of
from enrichment.prompt.template.missing import Missing, fail_if_missing

CALL: Final = " call"
CONCAT: Final = " concat"
LOOP: Final = " loop"
MADE: Final = " made"
NAMED: Final = " named"
TICK: Final = " tick"


class Turns:
    """The entries of a loop, each counted as it is taken."""

    __slots__ = ("_entries", "_meter")

    def __init__(self, meter: Meter, entries: Sequence[object]) -> None:
        self._meter = meter
        self._entries = entries

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[object]:
        step = self._meter.step
        for entry in self._entries:
            step()
            yield entry


@pass_context
def _call(
    context: Context, value: object, name: str, path: str, /, *args: object, **kwargs: object
) -> object:
    fail_if_missing(value)
    method = method_of(value, name)
    if method is None:
        raise PromptRenderError(f"{path}() cannot be called")
    check_arguments((*args, *kwargs.values()))
    meter = meter_of(context)
    try:
        made = method(meter, value, *args, **kwargs)
    except (TypeError, ValueError) as error:
        raise PromptRenderError(f"{path}(): {error}") from error
    meter.charge(made)
    return made


@pass_context
def _concat(context: Context, values: list[object]) -> str:
    return concat(meter_of(context), values)


@pass_context
def _loop(context: Context, value: object) -> Turns:
    fail_if_missing(value)
    if isinstance(value, Mapping):
        value = list(value)
    if not isinstance(value, str | list | tuple):
        raise PromptRenderError(f"a {type(value).__name__} is nothing to loop over")
    return Turns(meter_of(context), value)


@pass_context
def _made(context: Context, value: object) -> object:
    meter_of(context).charge(value)
    return value


@pass_context
def _named(_context: Context, value: object, path: str) -> object:
    if isinstance(value, Missing):
        value.named(path)
    return value


@pass_context
def _tick(context: Context, value: object) -> object:
    meter_of(context).tick()
    return value


CHECKPOINTS: Final[Mapping[str, Callable[..., object]]] = {
    CALL: _call,
    CONCAT: _concat,
    LOOP: _loop,
    MADE: _made,
    NAMED: _named,
    TICK: _tick,
}
