"""The contract that an agent's answers keep."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from agents_app.errors import SpecProblem
from enrichment.answer.decoding import NotExpressible, decoding_schema
from enrichment.answer.errors import AnswerEmpty, AnswerInvalid, SchemaInvalid
from enrichment.answer.fitting import Fitting
from enrichment.answer.json_text import NotJson, extract, looks_like_object, parse_json, unwrap
from enrichment.answer.limits import MAX_CHARACTERS, MAX_PROBLEMS, check_limits
from enrichment.answer.rules import AnswerRules
from enrichment.answer.schema import PATH, compile_rules, schema_warnings

_LONGEST_REPAIR = 2_000  # characters of problems told to the model


@dataclass(frozen=True, slots=True)
class Answer:
    """A valid answer, and what was mended in the text to get it (reason codes, in the order of the work)."""

    value: dict[str, Any]
    fixes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AnswerContract:
    """What an agent's answers must be; immutable and safe to share between threads.

    `schema` is the author's schema. `provider_schema` is the strict form for the provider's decoder, None
    where there is no schema or the strict form cannot express it. `warnings` are for the author, at publish
    time.
    """

    schema: Mapping[str, Any] | None = None
    provider_schema: dict[str, Any] | None = None
    warnings: tuple[str, ...] = ()
    _rules: AnswerRules | None = field(default=None, repr=False)

    @property
    def instruction(self) -> str | None:
        """What to tell a model about the form of the answer; None without a schema."""
        if self.schema is None:
            return None
        text = json.dumps(self.schema, ensure_ascii=False)
        return f"Answer with one JSON object and nothing else. It must be valid for this JSON Schema:\n{text}"

    def parse(self, text: str | None) -> Answer:
        """Return the answer that the text holds.

        With a schema only an object that is valid against it passes. Without one, a text that is (or is meant
        as) a JSON object must be one; any other text becomes `{"content": text}`. Raises AnswerEmpty or
        AnswerInvalid.
        """
        if text is None or not text.strip():
            raise AnswerEmpty
        if len(text) > MAX_CHARACTERS:
            raise AnswerInvalid([f"the answer has more than {MAX_CHARACTERS:,} characters"])
        try:
            value, fixes = self._read(text)
        except NotJson as error:
            raise AnswerInvalid([str(error)]) from error
        if not isinstance(value, dict):
            raise AnswerInvalid(["the answer must be one JSON object, it is another kind of JSON value"])
        if problems := check_limits(value):
            raise AnswerInvalid(problems)
        return self._checked(value, fixes)

    def repair_prompt(self, problems: Sequence[str]) -> str:
        """Return what to say to the model after an answer with these problems."""
        listed = "\n".join(f"- {problem}" for problem in problems[:MAX_PROBLEMS])[:_LONGEST_REPAIR]
        return (
            "Your previous answer was not accepted:\n"
            f"{listed}\n"
            "Answer again with one corrected JSON object, without any other text."
        )

    def _read(self, text: str) -> tuple[object, tuple[str, ...]]:
        if self._rules is None:
            return _free(text)
        extracted = extract(text)
        if isinstance(extracted.value, list) and len(extracted.value) == 1:
            return extracted.value[0], (*extracted.fixes, "single_item_array")
        return extracted.value, extracted.fixes

    def _checked(self, value: dict[str, Any], fixes: tuple[str, ...]) -> Answer:
        if self._rules is None or self.schema is None:
            return Answer(value, fixes)
        problems = self._rules.problems(value)
        if problems:
            fitting = Fitting(self.schema, self._rules.accepts)
            fitting.fit(self.schema, value)
            fixes = (*fixes, *fitting.fixes)
            problems = self._rules.problems(value) if fitting.fixes else problems
        if problems:
            raise AnswerInvalid(problems)
        return Answer(value, fixes)


def compile_schema(schema: Mapping[str, Any] | None) -> AnswerContract:
    """Return the contract of an `ai.response_schema`. Raises SchemaInvalid with all problems found."""
    if schema is None:
        return AnswerContract()
    plain = _thawed(schema)
    rules = compile_rules(plain)
    warnings = schema_warnings(plain)
    try:
        strict = decoding_schema(plain)
    except NotExpressible as error:
        note = f"{PATH}: the provider cannot be held to it ({error}); answers are checked afterwards"
        return AnswerContract(plain, None, (*warnings, note), rules)
    return AnswerContract(plain, strict, warnings, rules)


def _free(text: str) -> tuple[object, tuple[str, ...]]:
    body, fixes = unwrap(text)
    if not looks_like_object(body):
        return {"content": text.strip()}, ()
    return parse_json(body), fixes


def _thawed(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema as plain JSON data: the validator knows only lists and dictionaries."""
    try:
        thawed: dict[str, Any] = json.loads(json.dumps(schema, default=_as_json, allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        raise SchemaInvalid(errors=[SpecProblem(PATH, f"is not JSON: {error}")]) from error
    return thawed


def _as_json(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, tuple | set | frozenset):
        return list(value)
    raise TypeError(f"{type(value).__name__} is no JSON type")
