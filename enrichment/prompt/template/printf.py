"""`"%.2f" | format(price)` and `"%s" % name`, with bounded widths."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from enrichment.prompt.errors import PromptRenderError, PromptTooExpensive
from enrichment.prompt.template.meter import Meter
from enrichment.prompt.template.missing import fail_if_missing
from enrichment.prompt.template.printing import to_text

WIDEST: Final = 200
_DIRECTIVE: Final = re.compile(
    r"%(?P<flags>[#0\- +]*)(?P<width>\d*)(?:\.(?P<precision>\d*))?(?P<kind>.?)", re.DOTALL
)
_NUMBERS: Final = frozenset("diouxXeEfFgG")


def printf(meter: Meter, pattern: str, values: Sequence[object]) -> str:
    """Return the pattern with its directives replaced by the values, in order.

    Raises PromptRenderError for a directive that is not known or has no value, PromptTooExpensive for a width
    or a precision above 200.
    """
    waiting = list(values)
    parts: list[str] = []
    done = 0
    for match in _DIRECTIVE.finditer(pattern):
        parts.append(pattern[done : match.start()])
        parts.append(_directive(meter, match, waiting))
        done = match.end()
    if waiting:
        raise PromptRenderError("there are more values than the format has places")
    parts.append(pattern[done:])
    meter.reserve(sum(map(len, parts)))
    return "".join(parts)


def _directive(meter: Meter, match: re.Match[str], waiting: list[object]) -> str:
    kind = match["kind"]
    if kind == "%" and match.group() == "%%":
        return "%"
    if kind != "s" and kind not in _NUMBERS:
        raise PromptRenderError(f"the format directive {match.group()[:20]!r} is not known")
    for size in (match["width"], match["precision"]):
        if size and (len(size) > len(str(WIDEST)) + 1 or int(size) > WIDEST):
            raise PromptTooExpensive(f"a format's width and precision are at most {WIDEST}")
    if not waiting:
        raise PromptRenderError("the format has more places than there are values")
    value = waiting.pop(0)
    fail_if_missing(value)
    if kind == "s":
        text = to_text(meter, value)
        meter.reserve(len(text))
        return match.group() % text
    if not isinstance(value, int | float):
        raise PromptRenderError(f"the format directive {match.group()[:20]!r} needs a number")
    return match.group() % value
