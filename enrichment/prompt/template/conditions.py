"""Which tests (`is defined` and so on) templates have, each behind one checkpoint."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, cast

from jinja2 import pass_context
from jinja2.runtime import Context
from jinja2.tests import TESTS

from enrichment.prompt.template.meter import meter_of

# `filter`, `test`, `callable` and `escaped` tell about the engine and not about data.
_NAMES: Final = tuple(name for name in TESTS if name not in ("filter", "test", "callable", "escaped"))


def build_tests() -> dict[str, Callable[..., bool]]:
    """Return the tests by name."""
    return {name: _checked(cast(Callable[..., object], TESTS[name])) for name in _NAMES}


def _checked(function: Callable[..., object]) -> Callable[..., bool]:
    @pass_context
    def run(context: Context, value: object, *args: object, **kwargs: object) -> bool:
        held = bool(function(value, *args, **kwargs))
        meter_of(context).tick()
        return held

    return run
