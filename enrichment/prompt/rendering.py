"""Renders an agent's prompts for one document."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from enrichment.plain import to_plain
from enrichment.prompt.document import DocumentView
from enrichment.prompt.errors import PromptRenderError
from enrichment.prompt.template.compiled import CompiledTemplate, compile_template

if TYPE_CHECKING:
    from datetime import datetime

    from agents_app.spec import AgentSpec

PROMPT: Final = "ai.prompt"
SYSTEM_PROMPT: Final = "ai.system_prompt"


@dataclass(frozen=True, slots=True)
class PromptContext:
    """What a prompt is rendered from.

    `hidden` are the top-level fields that a document as a whole is printed without: the agent's own outputs
    and the metadata. `event` holds the change event's plain facts; its `full_document` is the document
    itself. `before` is the document as it was before the change, where the agent asked and MongoDB has it.
    """

    document: Mapping[str, Any]
    event: Mapping[str, Any]
    operation: str
    agent: Mapping[str, Any]
    now: datetime
    hidden: frozenset[str] = frozenset()
    before: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class RenderedPrompt:
    """The texts for the model, and the top-level fields that they were made from; None is all of them."""

    system: str | None
    user: str
    reads: frozenset[str] | None


@dataclass(frozen=True, slots=True)
class CompiledPrompt:
    """An agent's prompts, ready to render; immutable and safe to share between threads."""

    _user: CompiledTemplate
    _system: CompiledTemplate | None = field(default=None)

    @property
    def variables(self) -> frozenset[str]:
        """The names that the templates use."""
        return self._user.variables | (self._system.variables if self._system else frozenset())

    def render(self, context: PromptContext) -> RenderedPrompt:
        """Return the prompts for one document.

        Raises PromptFieldMissing with the path of the field, PromptTooLarge, PromptTooExpensive, and
        PromptRenderError for everything else, an empty prompt included.
        """
        view = DocumentView(context.document, context.hidden)
        variables = _variables(context, view, self.variables)
        system = self._system.render(variables) if self._system else None
        user = self._user.render(variables)
        if not user.strip():
            raise PromptRenderError(f"{PROMPT}: the rendered prompt is empty")
        return RenderedPrompt(system or None, user, view.reads)


def compile_prompt(spec: AgentSpec) -> CompiledPrompt:
    """Return the agent's prompts, checked and compiled; callers keep it. Raises PromptInvalid."""
    user = compile_template(spec.ai.prompt, PROMPT)
    if spec.ai.system_prompt is None:
        return CompiledPrompt(user)
    return CompiledPrompt(user, compile_template(spec.ai.system_prompt, SYSTEM_PROMPT))


def _variables(context: PromptContext, view: DocumentView, used: frozenset[str]) -> dict[str, Any]:
    variables: dict[str, Any] = {
        "document": view,
        "doc": view,
        "operation": context.operation,
        "now": context.now,
        "timestamp": context.now.isoformat(),
    }
    if "before" in used:
        before = context.before
        variables["before"] = None if before is None else DocumentView(before, context.hidden, name="before")
    if "event" in used:
        variables["event"] = _event(context.event, view)
    if "agent" in used:
        variables["agent"] = to_plain(context.agent)
    return variables


def _event(event: Mapping[str, Any], view: DocumentView) -> dict[str, Any]:
    facts: dict[str, Any] = {key: to_plain(value) for key, value in event.items() if key != "full_document"}
    if "full_document" in event:
        facts["full_document"] = view if isinstance(event["full_document"], Mapping) else None
    return facts
