"""The Jinja environment of prompts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from jinja2 import Undefined, pass_context
from jinja2.runtime import Context
from jinja2.sandbox import SandboxedEnvironment
from jinja2.utils import Namespace

from enrichment.prompt.errors import PromptRenderError
from enrichment.prompt.template.checkpoints import CHECKPOINTS
from enrichment.prompt.template.conditions import build_tests
from enrichment.prompt.template.filters import build_filters, check_arguments
from enrichment.prompt.template.meter import MeteredContext, meter_of
from enrichment.prompt.template.methods import attribute_of
from enrichment.prompt.template.missing import Missing, fail_if_missing
from enrichment.prompt.template.operators import calculate
from enrichment.prompt.template.printing import to_text


@dataclass(frozen=True, slots=True)
class Function:
    """Something that a template may call by its name."""

    run: Callable[..., object]


def _range(*args: int) -> list[int]:
    return list(range(*args))


FUNCTIONS: Final[Mapping[str, Function]] = {"namespace": Function(Namespace), "range": Function(_range)}


@pass_context
def _print(context: Context, value: object) -> str:
    return to_text(meter_of(context), value)


class PromptEnvironment(SandboxedEnvironment):
    """Jinja in which a name is a field and nothing else, and in which nothing grows unseen.

    One instance serves all threads: it holds no state of a rendering.
    """

    intercepted_binops = frozenset(SandboxedEnvironment.default_binop_table)
    context_class = MeteredContext

    def __init__(self) -> None:
        super().__init__(
            trim_blocks=True,
            lstrip_blocks=True,
            optimized=False,  # constants are folded at compile time, outside of any meter
            undefined=Missing,
            finalize=_print,
            autoescape=False,
            cache_size=0,
        )
        self.filters = cast(Any, {**build_filters(), **CHECKPOINTS})
        self.tests = cast(Any, build_tests())
        self.globals = dict(FUNCTIONS)

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Return the field of that name. Methods are only found where they are called."""
        if isinstance(obj, Missing):
            return obj
        if isinstance(obj, Mapping):
            return obj[attribute] if attribute in obj else self.undefined(obj=obj, name=attribute)
        try:
            return attribute_of(obj, attribute)
        except KeyError:
            return self.undefined(obj=obj, name=attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """Return the field or the entry."""
        if isinstance(obj, Missing):
            return obj
        fail_if_missing(argument)
        if isinstance(argument, str):
            return self.getattr(obj, argument)
        if isinstance(obj, Mapping):
            return self.getattr(obj, str(argument)) if isinstance(argument, int) else self.undefined(obj=obj)
        if isinstance(obj, Sequence) and isinstance(argument, int):
            try:
                return obj[argument]
            except IndexError:
                return self.undefined(obj=obj, name=str(argument))
        return self.undefined(obj=obj, name=str(argument))

    def call(self, context: Context, obj: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Call one of the two functions that templates have."""
        if isinstance(obj, Undefined):
            fail_if_missing(obj)
        if not isinstance(obj, Function):
            raise PromptRenderError("only range() and namespace() can be called by name")
        meter = meter_of(context)
        check_arguments((*args, *kwargs.values()))
        if obj is FUNCTIONS["range"]:
            meter.check_items(len(range(*args)))
        made = obj.run(*args, **kwargs)
        meter.charge(made)
        return made

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Calculate within bounds."""
        return calculate(meter_of(context), operator, left, right)


ENVIRONMENT: Final = PromptEnvironment()
