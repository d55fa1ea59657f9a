"""Rendering a stored agent's prompts for a document, as a worker would."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from agents_app import publish, registry
from agents_app.spec import AgentSpec
from enrichment.prompt import PromptContext, RenderedPrompt, compile_prompt
from enrichment.writeback import hidden_roots

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Rendering:
    """An agent's prompts for a document, and the names that its templates use."""

    prompts: RenderedPrompt
    variables: tuple[str, ...]


def spec_of(agent_id: str) -> AgentSpec:
    """What an agent says at present. Raises AgentNotFound."""
    return registry.config_of(publish.get(agent_id))


def render(spec: AgentSpec, document: Document, *, now: datetime) -> Rendering:
    """Render the prompts. Raises the errors of `enrichment.prompt`."""
    compiled = compile_prompt(spec)
    operation = spec.watch.operations[0].value
    event = {
        "operation": operation,
        "database": spec.watch.database,
        "collection": spec.watch.collection,
        "document_key": {"_id": document.get("_id")},
    }
    context = PromptContext(
        document=document,
        event=event,
        operation=operation,
        agent=spec.model_dump(mode="json"),
        now=now,
        hidden=hidden_roots(spec),
    )
    return Rendering(compiled.render(context), tuple(sorted(compiled.variables)))
