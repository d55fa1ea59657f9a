"""A policy of its own: named, published as versions, used by agents that say `policy: {use: NAME}`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any

from pydantic import Field, ValidationError

from agents_app.errors import SpecInvalid, SpecProblem
from agents_app.spec.canonical import to_yaml
from agents_app.spec.names import PolicyName
from agents_app.spec.plain import Plain
from agents_app.spec.policy import PolicyContent
from agents_app.spec.problems import describe

_IN_AN_AGENT = "policy."


class SharedPolicySpec(PolicyContent):
    """A policy with its name. The description is for people and makes no version."""

    name: PolicyName
    description: Annotated[str, Field(max_length=1024)] | None = None

    @property
    def content(self) -> PolicyContent:
        """What is decided by: the part that a version keeps."""
        return PolicyContent.model_construct(
            **{name: getattr(self, name) for name in PolicyContent.model_fields}
        )


@dataclass(frozen=True, slots=True)
class ParsedPolicy:
    """A valid shared policy, and what was accepted but probably not meant."""

    spec: SharedPolicySpec
    warnings: tuple[str, ...] = ()


def parse_policy(data: Mapping[str, Any]) -> ParsedPolicy:
    """Return the shared policy that a mapping declares. Raises SpecInvalid with every problem and its path."""
    plain = Plain()
    converted = plain.convert(data)
    if plain.problems:
        raise SpecInvalid(errors=plain.problems)
    try:
        spec = SharedPolicySpec.model_validate(converted)
    except ValidationError as error:
        raise SpecInvalid(errors=[_top_level(problem) for problem in describe(error)]) from None
    return ParsedPolicy(spec, tuple(f"{field}: {message}" for field, message in spec.warnings()))


def write_policy(name: str, description: str, content: PolicyContent) -> str:
    """Return a shared policy as the YAML that people edit."""
    return to_yaml({"name": name, "description": description or None, **content.model_dump(mode="json")})


def _top_level(problem: SpecProblem) -> SpecProblem:
    """Suggestions are made for agents, where the same keys stand in a section."""
    return replace(problem, message=problem.message.replace(f"did you mean {_IN_AN_AGENT}", "did you mean "))
