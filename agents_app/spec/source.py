"""What reading a text gives: its values, and where in the text each of them stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from agents_app.errors import SpecInvalid, SpecProblem

MAX_CHARACTERS = 262_144


@dataclass(frozen=True, slots=True)
class Source:
    """The value of a text; `places` gives line and column, from 1, by dotted path."""

    value: Any
    places: Mapping[str, tuple[int, int]]

    def locate(self, problem: SpecProblem) -> SpecProblem:
        """Return the problem with its place in the text, or that of the nearest value around it."""
        path = problem.path
        while path and path not in self.places:
            path = path.rpartition(".")[0]
        if path not in self.places or problem.line is not None:
            return problem
        line, column = self.places[path]
        return replace(problem, line=line, column=column)


def refuse(
    message: str, *, path: str = "", line: int | None = None, column: int | None = None
) -> SpecInvalid:
    """Return the error of a text that cannot be read, for the caller to raise."""
    return SpecInvalid(errors=[SpecProblem(path, message, line, column)])
