"""What one rendering of a template has used up."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from jinja2.runtime import Context

from enrichment.prompt.document import DocumentView
from enrichment.prompt.errors import PromptTooExpensive

VALUE_WEIGHT = 16  # what one value costs beside its characters, in characters


@dataclass(frozen=True, slots=True)
class Limits:
    """What templates and their renderings may use.

    `template` and `output` are characters. `syntax_nodes`, `syntax_depth` and `loop_depth` bound the
    template's tree. `steps` are turns of all loops together. `value` is the size of one value and `work` of
    all values made in one rendering, in characters. `items` are the entries of one list. `seconds` are
    processor time.
    """

    template: int = 100_000
    syntax_nodes: int = 10_000
    syntax_depth: int = 60
    loop_depth: int = 4
    steps: int = 100_000
    value: int = 8_000_000
    work: int = 64_000_000
    items: int = 200_000
    output: int = 2_000_000
    seconds: float = 0.5


class Meter:
    """Counts one rendering; belongs to one thread. Every method raises PromptTooExpensive at a limit."""

    __slots__ = ("_clock", "_steps", "_until", "_work", "limits")

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.thread_time) -> None:
        self.limits = limits
        self._clock = clock
        self._until = clock() + limits.seconds
        self._steps = 0
        self._work = 0

    def tick(self) -> None:
        """Look at the clock."""
        if self._clock() > self._until:
            raise PromptTooExpensive(f"the prompt takes more than {self.limits.seconds} s to render")

    def step(self) -> None:
        """Count one turn of a loop."""
        self._steps += 1
        if self._steps > self.limits.steps:
            raise PromptTooExpensive(f"the prompt's loops take more than {self.limits.steps:,} turns")
        self.tick()

    def charge(self, value: object) -> None:
        """Count a value that was made."""
        self.reserve(self.measure(value))

    def reserve(self, size: int) -> None:
        """Count a value of this size, before it is made."""
        if size > self.limits.value:
            raise PromptTooExpensive(
                f"the prompt makes a value of more than {self.limits.value:,} characters"
            )
        self._work += size
        if self._work > self.limits.work:
            raise PromptTooExpensive(f"the prompt makes values of more than {self.limits.work:,} characters")
        self.tick()

    def measure(self, value: object) -> int:
        """Return the size of a value, counting what is in it as often as it is in it."""
        if isinstance(value, str):
            return VALUE_WEIGHT + len(value)
        if not isinstance(value, list | tuple | Mapping):
            return VALUE_WEIGHT
        size = 0
        waiting: list[object] = [value]
        while waiting:
            current = waiting.pop()
            size += VALUE_WEIGHT
            if isinstance(current, str):
                size += len(current)
            elif isinstance(current, list | tuple):
                waiting.extend(current)
            elif isinstance(current, Mapping):
                waiting.extend(_contents(current))
            if size + VALUE_WEIGHT * len(waiting) > self.limits.value:
                self.reserve(self.limits.value + 1)
        return size

    def check_items(self, number: int) -> None:
        """Refuse a list of so many entries."""
        if number > self.limits.items:
            raise PromptTooExpensive(f"the prompt makes a list of more than {self.limits.items:,} entries")


class MeteredContext(Context):
    """Jinja's context with the meter of the rendering."""

    meter: Meter


def meter_of(context: Context) -> Meter:
    """Return the meter of the rendering that the context belongs to."""
    if not isinstance(context, MeteredContext):
        raise TypeError("the template was not rendered by enrichment.prompt.template")
    return context.meter


def _contents(value: Mapping[object, object]) -> list[object]:
    if isinstance(value, DocumentView):
        return []  # measured when its fields were converted; taking it whole would count as reading it
    return [*value.keys(), *value.values()]
