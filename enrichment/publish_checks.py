"""What is checked when an agent is published: whatever of it will be compiled by the worker."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from agents_app.errors import SpecInvalid, SpecProblem
from agents_app.spec import Operation
from enrichment.answer import compile_schema
from enrichment.policy import PolicyInvalid, compile_policy
from enrichment.prompt.rendering import PROMPT, SYSTEM_PROMPT, compile_prompt
from enrichment.prompt.template.compiled import compile_template
from enrichment.prompt.template.lint import printed_bare
from enrichment.providers.registry import known_providers

if TYPE_CHECKING:
    from agents_app.spec import AgentSpec, PolicyContent
    from enrichment.prompt.template.compiled import CompiledTemplate

_DELETES: Final = {Operation.DELETE}
_MOVING: Final = frozenset({"now", "timestamp"})
_MOVING_EVENT: Final = re.compile(
    r"\bevent\b(?!\.(operation|database|collection|document_key|full_document)\b)"
)


def check(spec: AgentSpec) -> Iterable[str]:
    """Return warnings about the agent. Raises SpecInvalid with the problems of all its parts."""
    problems: list[SpecProblem] = []
    warnings: list[str] = []
    for part in (_prompt, _system_prompt, _schema, _policy):
        try:
            warnings.extend(part(spec))
        except SpecInvalid as error:
            problems.extend(error.errors)
    if problems:
        raise SpecInvalid(errors=problems)
    return (*_provider(spec), *warnings, *_before(spec), *_deletes(spec))


def check_policy(policy: PolicyContent) -> Iterable[str]:
    """Return warnings about a policy that agents share. Raises SpecInvalid."""
    try:
        compile_policy(policy)
    except PolicyInvalid as error:
        problems = [replace(problem, path=problem.path.removeprefix("policy.")) for problem in error.errors]
        raise SpecInvalid(errors=problems) from None
    return ()


def _provider(spec: AgentSpec) -> Iterator[str]:
    if spec.ai.provider not in known_providers():
        yield f"ai.provider: '{spec.ai.provider}' is not a provider that we know; it is passed on as it is"


def _prompt(spec: AgentSpec) -> Iterator[str]:
    yield from _template_warnings(compile_template(spec.ai.prompt, PROMPT), spec.ai.prompt)


def _system_prompt(spec: AgentSpec) -> Iterator[str]:
    if spec.ai.system_prompt is None:
        return
    template = compile_template(spec.ai.system_prompt, SYSTEM_PROMPT)
    yield from _template_warnings(template, spec.ai.system_prompt)
    if template.variables & {"before", "document", "doc"}:
        yield (
            f"{SYSTEM_PROMPT}: it prints the document; whoever writes documents can then give the model "
            f"instructions. Documents belong in {PROMPT}"
        )


def _template_warnings(template: CompiledTemplate, source: str) -> Iterator[str]:
    moving = sorted(template.variables & _MOVING)
    if "event" in template.variables and _MOVING_EVENT.search(source):
        moving.append("event")
    if moving:
        yield (
            f"{template.path}: uses {', '.join(moving)}, which may differ at each run: an edit that changes "
            "nothing else is then not recognised as unchanged and costs a model call"
        )
    for line in printed_bare(source):
        yield (
            f"{template.path}, line {line}: prints the whole document without a delimiter around it; "
            "put it between marks such as <document> and </document>, so that the model can tell it from "
            "instructions"
        )


def _schema(spec: AgentSpec) -> Iterable[str]:
    return compile_schema(spec.ai.response_schema).warnings


def _policy(spec: AgentSpec) -> Iterable[str]:
    compile_policy(spec.policy)
    return ()


def _before(spec: AgentSpec) -> Iterator[str]:
    used = compile_prompt(spec).variables
    if "before" in used and not spec.watch.wants_state_before:
        yield (
            "ai.prompt: uses before, which is always null here; to have the document as it was before the "
            "change, set watch.full_document_before_change to whenAvailable or required"
        )
    if "before" not in used and spec.watch.wants_state_before and set(spec.watch.operations) != _DELETES:
        yield (
            "watch.full_document_before_change: no prompt uses before, and only deletes need it without that; "
            "each run reads it all the same"
        )


def _deletes(spec: AgentSpec) -> Iterator[str]:
    if Operation.DELETE in spec.watch.operations and not spec.watch.wants_state_before:
        yield (
            "watch.operations: a delete carries no document, only its _id, and matches no filter; to have the "
            "document as it was, set watch.full_document_before_change to whenAvailable or required"
        )
