"""How much one validation may cost.

A schema that refers to itself can be tried 2^64 times on an answer of 64 levels, and each regular expression
may be slow, so both are counted. The count belongs to one validation on one thread.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from enrichment.answer.patterns import SECONDS, matches

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_REFERENCES: Final = 50_000
MAX_SECONDS: Final = 1.0  # of processor time, looked at whenever a reference or a pattern is followed


class ValidationTooExpensive(Exception):
    """The answer takes too long to check against its schema."""


@dataclass(slots=True)
class Budget:
    """What is left of one validation's allowance."""

    references: int
    until: float

    def take_reference(self) -> None:
        """Count one followed `$ref`. Raises ValidationTooExpensive."""
        self.references -= 1
        if self.references < 0 or time.thread_time() > self.until:
            raise ValidationTooExpensive

    def matches(self, pattern: str, text: str) -> bool:
        """Say whether the expression is found in the text. Raises one of the two errors."""
        left = self.until - time.thread_time()
        if left <= 0:
            raise ValidationTooExpensive
        return matches(pattern, text, seconds=min(left, SECONDS))


_current: ContextVar[Budget | None] = ContextVar("answer_budget", default=None)


@contextmanager
def validation_budget() -> Iterator[None]:
    """Bound the validation inside the block."""
    token = _current.set(Budget(MAX_REFERENCES, time.thread_time() + MAX_SECONDS))
    try:
        yield
    finally:
        _current.reset(token)


def take_reference() -> None:
    """Count one followed `$ref` in the current validation."""
    budget = _current.get()
    if budget is not None:
        budget.take_reference()


def search(pattern: str, text: str) -> bool:
    """Say whether the expression is found in the text, within the current validation's allowance."""
    budget = _current.get()
    return matches(pattern, text) if budget is None else budget.matches(pattern, text)
