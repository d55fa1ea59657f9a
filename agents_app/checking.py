"""Checking a text as publishing would, with the place of each problem in the text."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from agents_app import policies
from agents_app.errors import SpecInvalid, SpecProblem
from agents_app.publish import run_checks
from agents_app.publish_hooks import checks, policy_checks
from agents_app.spec import ParsedPolicy, ParsedSpec, load_policy, load_spec, read_text

_Parsed = TypeVar("_Parsed")


@dataclass(frozen=True, slots=True)
class Checked(Generic[_Parsed]):
    """What a text says, or the problems for which it says nothing."""

    parsed: _Parsed | None
    problems: tuple[SpecProblem, ...] = ()
    warnings: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The problems and warnings for a program."""
        return {"problems": [_as_json(problem) for problem in self.problems], "warnings": list(self.warnings)}


def check_agent(text: str) -> Checked[ParsedSpec]:
    """Check an agent's text."""

    def check() -> ParsedSpec:
        parsed = load_spec(text)
        remarks = run_checks(parsed.spec, checks())
        return ParsedSpec(parsed.spec, (*parsed.warnings, *remarks))

    return _checked(text, check)


def check_policy(text: str) -> Checked[ParsedPolicy]:
    """Check a shared policy's text."""

    def check() -> ParsedPolicy:
        parsed = load_policy(text)
        remarks = policies.run_checks(parsed.spec, policy_checks())
        return ParsedPolicy(parsed.spec, (*parsed.warnings, *remarks))

    return _checked(text, check)


def _checked(text: str, check: Callable[[], Any]) -> Checked[Any]:
    try:
        parsed = check()
    except SpecInvalid as error:
        return Checked(None, _located(text, error.errors or (SpecProblem("", str(error)),)))
    return Checked(parsed, warnings=parsed.warnings)


def _located(text: str, problems: tuple[SpecProblem, ...]) -> tuple[SpecProblem, ...]:
    try:
        read = read_text(text)
    except SpecInvalid:
        return problems  # they say where it cannot be read
    return tuple(read.locate(problem) for problem in problems)


def _as_json(problem: SpecProblem) -> dict[str, Any]:
    return {
        "path": problem.path,
        "message": problem.message,
        "line": problem.line,
        "column": problem.column,
    }
