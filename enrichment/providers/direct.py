"""Vendors that speak OpenAI's chat completions as they are, so that a call needs no library in between.

litellm translates for all others, and for those models that want other parameters than their vendor's usual ones. It
costs three times the CPU of the call itself (ADR 0025).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from agents_app.spec import AISpec
from enrichment.providers import keys


@dataclass(frozen=True, slots=True)
class Direct:
    """Where a vendor listens, the variables that say otherwise, and the models that take the usual parameters."""

    url: str
    variables: tuple[str, ...]
    models: re.Pattern[str] = re.compile("")

    def address(self, env: Mapping[str, str]) -> str:
        """Return the address to call; empty where nobody has said one."""
        named = (env.get(name, "").strip() for name in self.variables)
        return next((address for address in named if address), self.url)


DIRECT: Final[Mapping[str, Direct]] = {
    # Its other models refuse a schema; litellm makes a tool of it.
    "groq": Direct("https://api.groq.com/openai/v1", ("GROQ_API_BASE",), re.compile("openai/gpt-oss-")),
    "hosted_vllm": Direct("", ("HOSTED_VLLM_API_BASE",)),
    "lm_studio": Direct("", ("LM_STUDIO_API_BASE",)),
    "ollama": Direct("http://localhost:11434/v1", ("OLLAMA_API_BASE",)),
    # Reasoning models take one temperature only and count their tokens by another name; older ones refuse a schema.
    "openai": Direct(
        "https://api.openai.com/v1",
        ("OPENAI_BASE_URL", "OPENAI_API_BASE"),
        re.compile(r"(gpt-4o|gpt-4\.1|chatgpt-4)"),
    ),
    "openrouter": Direct("https://openrouter.ai/api/v1", ("OPENROUTER_API_BASE",)),
}


def plain_name(ai: AISpec) -> str:
    """Return the model's name as its vendor knows it, without litellm's prefix."""
    vendor = keys.vendor_of(ai.provider, ai.model)
    prefix = keys.VENDORS[vendor].prefix if vendor in keys.VENDORS else vendor
    return ai.model.removeprefix(f"{prefix}/")


def is_direct(ai: AISpec, env: Mapping[str, str]) -> bool:
    """Say whether the agent's model can be called without litellm."""
    direct = DIRECT.get(keys.vendor_of(ai.provider, ai.model))
    return direct is not None and bool(direct.address(env) and direct.models.match(plain_name(ai)))
