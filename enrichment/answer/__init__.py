"""What a model's text must be before anything of it is written.

1. `schema` checks the author's schema when an agent is published; `decoding` makes of it what a provider's
   decoder is held to.
2. `json_text` finds the JSON value in the text, and `limits` refuses what could never be stored.
3. `rules` hold the answer against the schema, within a `budget`. `fitting` mends what changes no meaning, and
   `problems` says what is wrong in words fit for the model.
"""

from __future__ import annotations

from enrichment.answer.contract import Answer, AnswerContract, compile_schema
from enrichment.answer.errors import AnswerEmpty, AnswerError, AnswerInvalid, SchemaInvalid

__all__ = [
    "Answer",
    "AnswerContract",
    "AnswerEmpty",
    "AnswerError",
    "AnswerInvalid",
    "SchemaInvalid",
    "compile_schema",
]
