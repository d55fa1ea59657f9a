"""Whether a document carries the answer to exactly what its agent would ask now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bson import Timestamp

from agents_app.spec import AgentSpec, behaviour_hash
from enrichment.fingerprint import fingerprint
from enrichment.prompt import CompiledPrompt, RenderedPrompt, compile_prompt, event_context
from enrichment.writeback import entry_path, hidden_roots


@dataclass(frozen=True, slots=True)
class Standing:
    """An agent version, ready to compare what it would ask with what it has answered."""

    spec: AgentSpec
    behaviour: str
    declared: Mapping[str, Any]
    hidden: frozenset[str]
    prompt: CompiledPrompt

    @property
    def hash_path(self) -> str | None:
        """Where a document names the input of its answer; None if none is kept, or if equal input counts as new."""
        if not (self.spec.write.include_metadata and self.spec.execution.deduplicate):
            return None
        return f"{entry_path(self.spec.write.metadata_field, self.spec.id)}.input_hash"

    @property
    def is_elsewhere(self) -> bool:
        """Whether the answers are in another collection than the documents."""
        return self.spec.target_namespace != self.spec.watch_namespace

    def render(
        self, document: Mapping[str, Any], *, operation: str, cluster_time: Timestamp, now: datetime
    ) -> RenderedPrompt:
        """Render the prompts as a worker would. Raises the errors of `enrichment.prompt`."""
        context = event_context(
            document,
            operation=operation,
            namespace=self.spec.watch_namespace,
            cluster_time=cluster_time,
            agent=self.declared,
            hidden=self.hidden,
            now=now,
        )
        return self.prompt.render(context)

    def hash_of(self, rendered: RenderedPrompt) -> str:
        """Return the fingerprint of a rendered prompt, as workers store it beside the answer."""
        return fingerprint(self.behaviour, rendered)


def standing_of(spec: AgentSpec) -> Standing:
    """Prepare an agent version; callers keep it. Raises PromptInvalid."""
    return Standing(
        spec=spec,
        behaviour=behaviour_hash(spec),
        declared=spec.model_dump(mode="json"),
        hidden=hidden_roots(spec),
        prompt=compile_prompt(spec),
    )
