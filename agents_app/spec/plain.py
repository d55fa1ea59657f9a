"""Specifications as plain JSON values: detached from the caller, bounded, storable in every database."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from agents_app.errors import SpecProblem

MAX_DEPTH = 64
MAX_VALUES = 20_000
FILTER = ("watch", "filter")  # the one place that may hold BSON values

Path = tuple[str, ...]


def dotted(path: Path) -> str:
    """Return a path as people read it."""
    return ".".join(path)


def text_problem(text: str) -> str | None:
    """Say why a text cannot be stored, or None if it can."""
    if "\0" in text:
        return "must not contain the NUL character"
    if any("\ud800" <= char <= "\udfff" for char in text):
        return "must not contain half of a surrogate pair"
    return None


class Plain:
    """One conversion; `problems` holds what was wrong with the values."""

    def __init__(self) -> None:
        self.problems: list[SpecProblem] = []
        self._values = 0

    def convert(self, value: Any, path: Path = ()) -> Any:
        """Return the value as JSON values; what is wrong with it is left out and recorded in `problems`."""
        self._values += 1
        if self._values > MAX_VALUES:
            if self._values == MAX_VALUES + 1:
                self._refuse((), f"the agent holds more than {MAX_VALUES:,} values")
            return None
        if isinstance(value, Mapping | list | tuple):
            if len(path) >= MAX_DEPTH:
                return self._refuse(path[:3], f"is nested deeper than {MAX_DEPTH} levels")
            return self._mapping(value, path) if isinstance(value, Mapping) else self._list(value, path)
        return self._leaf(value, path)

    def _mapping(self, value: Mapping[Any, Any], path: Path) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key, item in value.items():
            if not isinstance(key, str):
                self._refuse((*path, str(key)), "the key must be text; put it in quotes")
            elif problem := text_problem(key):
                self._refuse(path, f"a key {problem}")
            else:
                result[key] = self.convert(item, (*path, key))
        return result

    def _list(self, value: list[Any] | tuple[Any, ...], path: Path) -> list[Any]:
        return [self.convert(item, (*path, str(index))) for index, item in enumerate(value)]

    def _leaf(self, value: Any, path: Path) -> Any:
        if isinstance(value, str):
            problem = text_problem(value)
            return str(value) if problem is None else self._refuse(path, problem)
        if value is None or isinstance(value, bool) or path[: len(FILTER)] == FILTER:
            return value
        if isinstance(value, int):
            return int(value) if abs(value) < 2**63 else self._refuse(path, "must fit into 64 bits")
        if isinstance(value, float):
            return float(value) if math.isfinite(value) else self._refuse(path, "must be a finite number")
        if isinstance(value, datetime | date):
            return value.isoformat()
        return self._refuse(
            path,
            f"must be text, a number, true, false, null, a list or a mapping, not {type(value).__name__}",
        )

    def _refuse(self, path: Path, message: str) -> None:
        self.problems.append(SpecProblem(dotted(path), message))
