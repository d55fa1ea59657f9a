"""The first request of a run: how a rendered prompt and the answer's contract are put to a model."""

from __future__ import annotations

from collections.abc import Mapping

from agents_app.spec import AgentSpec
from enrichment.answer import AnswerContract
from enrichment.prompt import RenderedPrompt
from enrichment.providers import ModelRequest


def first_request(
    spec: AgentSpec, contract: AnswerContract, rendered: RenderedPrompt, metadata: Mapping[str, str]
) -> ModelRequest:
    """Ask for the schema natively where the provider's decoder can express it, else in words."""
    in_words = contract.instruction if contract.provider_schema is None else None
    system = "\n\n".join(part for part in (rendered.system, in_words) if part)
    return ModelRequest(
        model=spec.ai.model,
        system=system or None,
        user=rendered.user,
        temperature=spec.ai.temperature,
        max_tokens=spec.ai.max_tokens,
        json_schema=contract.provider_schema,
        json_mode=in_words is not None,
        extra_params=spec.ai.extra_params,
        metadata=metadata,
    )
