"""What can be wrong with a model's answer, and with the schema it is held against."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agents_app.errors import Decision, MongoClawError, SpecInvalid

if TYPE_CHECKING:
    from collections.abc import Sequence

_SHOWN = 5  # problems in the message; all of them are on the error


class SchemaInvalid(SpecInvalid):
    """The response schema cannot be used."""

    code = "schema_invalid"


class AnswerError(MongoClawError):
    """The model's answer cannot be used."""

    code = "answer_error"


class AnswerEmpty(AnswerError):
    """The model gave an empty answer."""

    decision = Decision.RETRY
    code = "answer_empty"


class AnswerInvalid(AnswerError):
    """The model's answer does not fit what was asked for.

    `problems` are short texts (path and rule, never large values), fit for a repair prompt and for a log.
    """

    code = "answer_invalid"

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems: tuple[str, ...] = tuple(problems)
        more = f" (and {len(self.problems) - _SHOWN} more)" if len(self.problems) > _SHOWN else ""
        super().__init__("; ".join(self.problems[:_SHOWN]) + more)
