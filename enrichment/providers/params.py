"""Which of an agent's `ai.extra_params` may go into a model call.

An unknown keyword would travel into the request body, or, worse, change where the request and its key go.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from enrichment.errors import ProviderRejected

ALLOWED = frozenset(
    {
        "allowed_openai_params",
        "aws_region_name",
        "frequency_penalty",
        "logit_bias",
        "min_p",
        "parallel_tool_calls",
        "prediction",
        "presence_penalty",
        "provider",
        "reasoning",
        "reasoning_effort",
        "repetition_penalty",
        "safety_settings",
        "seed",
        "service_tier",
        "stop",
        "thinking",
        "top_a",
        "top_k",
        "top_p",
        "transforms",
        "user",
        "verbosity",
        "vertex_location",
        "vertex_project",
    }
)
_PLACES = frozenset({"aws_region_name", "vertex_location"})
_PLACE = re.compile(r"[A-Za-z0-9-]{1,64}", re.ASCII)
"""What litellm puts into the address of a request that carries credentials: anything else would choose the host."""

ADDRESS = "base_url"  # where a `custom` provider listens; it is not sent
_ELSEWHERE: Mapping[str, str] = {
    "api_base": "the address is part of the deployment; for a server of your own set ai.provider to 'custom'",
    "api_key": "name the place that holds the key in ai.api_key_ref",
    "base_url": "the address is part of the deployment; for a server of your own set ai.provider to 'custom'",
    "max_tokens": "set ai.max_tokens",
    "max_completion_tokens": "set ai.max_tokens",
    "messages": "set ai.prompt and ai.system_prompt",
    "model": "set ai.model",
    "n": "one answer is asked for",
    "response_format": "set ai.response_schema",
    "stream": "answers are not streamed",
    "temperature": "set ai.temperature",
    "timeout": "set execution.timeout_seconds",
}


def problems(extra: Mapping[str, Any], *, provider: str) -> tuple[str, ...]:
    """Say what in `extra` cannot be sent to `provider`. An external agent takes anything."""
    if provider == "external":
        return ()
    found = [
        f"ai.extra_params.{key} must be letters, digits and hyphens: it is a part of a host's name"
        for key in sorted(_PLACES.intersection(extra))
        if not (isinstance(extra[key], str) and _PLACE.fullmatch(extra[key]))
    ]
    for key in sorted(extra):
        if key in ALLOWED or (provider == "custom" and key == ADDRESS):
            continue
        remedy = _ELSEWHERE.get(key, f"it may be one of {', '.join(sorted(ALLOWED))}")
        found.append(f"ai.extra_params.{key} is not supported: {remedy}")
    return tuple(found)


def sendable(extra: Mapping[str, Any], *, provider: str) -> dict[str, Any]:
    """Return what of `extra` goes into the request.

    Raises ProviderRejected if something in it is not supported.
    """
    found = problems(extra, provider=provider)
    if found:
        raise ProviderRejected("; ".join(found))
    return {key: value for key, value in extra.items() if key in ALLOWED}
