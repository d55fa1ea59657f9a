"""From a mapping to a checked specification."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from agents_app.errors import SpecInvalid, SpecProblem
from agents_app.spec.agent import SECTIONS, AgentSpec
from agents_app.spec.compat import upgrade
from agents_app.spec.plain import Plain
from agents_app.spec.problems import describe


@dataclass(frozen=True, slots=True)
class ParsedSpec:
    """A valid specification, and what was accepted but probably not meant."""

    spec: AgentSpec
    warnings: tuple[str, ...] = ()


def parse_spec(data: Mapping[str, Any]) -> ParsedSpec:
    """Return the specification that a mapping declares.

    Raises SpecInvalid with every problem that was found, each with its path.
    """
    if not isinstance(data, Mapping):
        raise SpecInvalid(errors=[SpecProblem("", "an agent must be a mapping of keys to values")])
    plain = Plain()
    converted = plain.convert(data)
    if plain.problems:
        raise SpecInvalid(errors=plain.problems)
    upgraded = upgrade(converted)
    try:
        spec = AgentSpec.model_validate(upgraded.data)
    except ValidationError as error:
        problems = [*upgraded.problems, *describe(error)]
        raise SpecInvalid(errors=[*problems, *_rules_of_sound_sections(upgraded.data, problems)]) from None
    problems = [*upgraded.problems, *(SpecProblem(path, message) for path, message in spec.problems())]
    if problems:
        raise SpecInvalid(errors=problems)
    remarks = (f"{path}: {message}" for path, message in spec.warnings())
    return ParsedSpec(spec, (*upgraded.warnings, *remarks))


def _rules_of_sound_sections(data: Mapping[str, Any], found: list[SpecProblem]) -> Iterator[SpecProblem]:
    # So that one mistake in a prompt does not hide one in the filter until the next attempt.
    broken = {problem.path.partition(".")[0] for problem in found}
    for name, section in SECTIONS.items():
        if name in broken or not isinstance(data.get(name), Mapping):
            continue
        for field, message in section.model_validate(data[name]).problems():
            yield SpecProblem(f"{name}.{field}", message)
