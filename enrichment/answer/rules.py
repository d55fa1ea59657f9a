"""The rules of one schema, and what in an answer breaks them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from referencing import Registry

from enrichment.answer.budget import ValidationTooExpensive, validation_budget
from enrichment.answer.formats import FORMATS
from enrichment.answer.keywords import BoundedValidator
from enrichment.answer.limits import MAX_PROBLEMS
from enrichment.answer.patterns import PatternTooSlow
from enrichment.answer.problems import describe


class AnswerRules:
    """One schema, compiled; safe to use from many threads at once."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._validator = BoundedValidator(schema, format_checker=FORMATS, registry=Registry())

    def problems(self, answer: object) -> tuple[str, ...]:
        """Return what is wrong with the answer, at most twenty texts; nothing when it is valid."""
        found: list[str] = []
        try:
            with validation_budget():
                for error in self._validator.iter_errors(answer):
                    found.append(describe(error))
                    if len(found) == MAX_PROBLEMS:
                        break
        except (ValidationTooExpensive, RecursionError):
            found.append("answer: takes too long to check against the schema")
        except PatternTooSlow as error:
            found.append(f"answer: {error}")
        return tuple(dict.fromkeys(found))

    def accepts(self, schema: object, value: object) -> bool:
        """Say whether a part of the schema accepts the value."""
        try:
            with validation_budget():
                return bool(self._validator.evolve(schema=schema).is_valid(value))
        except (ValidationTooExpensive, RecursionError, PatternTooSlow):
            return False

    def ends(self, schema: object, value: object) -> bool:
        """Say whether validation of the value comes to an end by itself."""
        try:
            with validation_budget():
                self._validator.evolve(schema=schema).is_valid(value)
        except (RecursionError, ValidationTooExpensive):
            return False
        except PatternTooSlow:
            return True
        return True
