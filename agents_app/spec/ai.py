"""Which model is asked, with which prompt, and what its answer must look like."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from agents_app.spec.section import Filled, Finding, FreeForm, Number, Section, Whole

MAX_PROMPT = 100_000  # characters

# What each provider's models are called. A name outside its pattern draws a warning, never a refusal: models
# come out faster than releases of this program.
KNOWN_MODELS: Mapping[str, re.Pattern[str]] = {
    "openai": re.compile(r"(openai/)?(gpt-|chatgpt-|o\d|ft:)"),
    "anthropic": re.compile(r"(anthropic/)?claude-"),
    "bedrock": re.compile(
        r"(bedrock/)?([a-z]{2,4}\.)?(anthropic\.claude|amazon\.|ai21\.|cohere\.|meta\.|mistral\.)"
    ),
    "google": re.compile(r"((gemini|google|vertex_ai)/)?(gemini-|palm-|gemma)"),
    "cohere": re.compile(r"(cohere/|cohere_chat/)?(command|c4ai)"),
    "groq": re.compile(r"(groq/)?.*(llama|mixtral|gemma|qwen|gpt-oss|kimi|deepseek)"),
    "mistral": re.compile(
        r"(mistral/)?(\w+-)?(mistral|mixtral|ministral|codestral|magistral|pixtral|devstral)"
    ),
}

_ELSEWHERE = {
    "model": "ai.model",
    "temperature": "ai.temperature",
    "max_tokens": "ai.max_tokens",
    "max_completion_tokens": "ai.max_tokens",
    "api_key": "ai.api_key_ref",
    "response_format": "ai.response_schema",
    "messages": "ai.prompt and ai.system_prompt",
    "timeout": "execution.timeout_seconds",
    "request_timeout": "execution.timeout_seconds",
    "num_retries": "execution.max_retries",
    "max_retries": "execution.max_retries",
}
_UNSUPPORTED = {"stream": "answers are not streamed", "n": "one answer is asked for"}
_LOOKS_LIKE_A_KEY = re.compile(r"(sk-|gsk_|AIza|xai-|Bearer )\S{8,}")


def _lower(value: str) -> str:
    return value.lower()


class AISpec(Section):
    """The model, the prompt and the answer's schema. `prompt` and `system_prompt` are Jinja2 templates."""

    provider: Annotated[Filled, Field(max_length=64), AfterValidator(_lower)] = "openai"
    model: Annotated[Filled, Field(max_length=256)] = "gpt-4o-mini"
    prompt: Annotated[Filled, Field(max_length=MAX_PROMPT)]
    system_prompt: Annotated[str, Field(max_length=MAX_PROMPT)] | None = None
    temperature: Annotated[Number, Field(ge=0, le=2)] = 0.7
    max_tokens: Annotated[Whole, Field(ge=1, le=10_000_000)] = 2048
    response_schema: Mapping[str, Any] | None = None
    response_format: Annotated[str, Field(max_length=64)] | None = None
    api_key_ref: Annotated[Filled, Field(max_length=256)] | None = None
    extra_params: FreeForm = Field(default_factory=dict)

    def problems(self) -> Iterator[Finding]:
        """Yield misplaced keys of `extra_params`, a missing external URL, a key given in clear."""
        if self.provider == "external":
            yield from self._external_problems()
        else:
            yield from self._extra_problems()
        if self.api_key_ref is not None and _LOOKS_LIKE_A_KEY.match(self.api_key_ref):
            yield Finding(
                "api_key_ref",
                "looks like a key itself; name the place that holds it, such as env:OPENAI_API_KEY",
            )

    def warnings(self) -> Iterator[Finding]:
        """Yield a remark on a model that its provider is not known for."""
        known = KNOWN_MODELS.get(self.provider)
        if known is not None and not known.match(self.model):
            yield Finding(
                "model",
                f"'{self.model}' is not a model of {self.provider} that we know; it is passed on as it is",
            )

    def _external_problems(self) -> Iterator[Finding]:
        url = self.extra_params.get("external_url", self.extra_params.get("external_agent_url"))
        if url is None:
            yield Finding("extra_params.external_url", "is required when ai.provider is external")
        elif not isinstance(url, str) or not re.match(r"https?://[^\s/]", url):
            yield Finding("extra_params.external_url", "must be an http or https address")

    def _extra_problems(self) -> Iterator[Finding]:
        for key in self.extra_params:
            if key in _ELSEWHERE:
                yield Finding(f"extra_params.{key}", f"belongs in {_ELSEWHERE[key]}")
            elif key in _UNSUPPORTED:
                yield Finding(f"extra_params.{key}", f"is not supported: {_UNSUPPORTED[key]}")
