"""What the model is asked: an agent's prompts, rendered for one document.

`template` is their language, `document` what it sees of a document, `rendering` puts the two together.
"""

from __future__ import annotations

from enrichment.prompt.context import event_context
from enrichment.prompt.errors import (
    PromptFieldMissing,
    PromptInvalid,
    PromptRenderError,
    PromptTooExpensive,
    PromptTooLarge,
)
from enrichment.prompt.rendering import CompiledPrompt, PromptContext, RenderedPrompt, compile_prompt

__all__ = [
    "CompiledPrompt",
    "PromptContext",
    "PromptFieldMissing",
    "PromptInvalid",
    "PromptRenderError",
    "PromptTooExpensive",
    "PromptTooLarge",
    "RenderedPrompt",
    "compile_prompt",
    "event_context",
]
