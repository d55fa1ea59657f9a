"""The wire format of OpenAI's chat completions, which most providers and local servers speak."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from enrichment.errors import AnswerMissing, AnswerRefused, AnswerTruncated, ProviderBadResponse
from enrichment.providers.base import ModelReply, ModelRequest

_CUT = frozenset({"length", "max_tokens", "model_length"})
_FILTERED = frozenset(
    {"content_filter", "refusal", "safety", "prohibited_content", "blocklist", "recitation"}
)
_MOST = 2**53
_BYTES_PER_TOKEN = 3  # on the high side for English text, right for code and for many other languages


def messages(request: ModelRequest) -> list[dict[str, str]]:
    """Return the system prompt, if there is one, and the user prompt."""
    user = {"role": "user", "content": request.user}
    return [user] if request.system is None else [{"role": "system", "content": request.system}, user]


def response_format(request: ModelRequest) -> dict[str, Any] | None:
    """Return how the answer shall be constrained: by the schema, to any JSON object, or not at all."""
    if request.json_schema is not None:
        schema = {"name": "answer", "schema": request.json_schema, "strict": is_strict(request.json_schema)}
        return {"type": "json_schema", "json_schema": schema}
    return {"type": "json_object"} if request.json_mode else None


def is_strict(schema: Any) -> bool:
    """Say if providers can decode strictly by `schema`: objects closed, and all properties required."""
    if isinstance(schema, Mapping):
        properties = schema.get("properties")
        if schema.get("type") == "object" or isinstance(properties, Mapping):
            required = schema.get("required", ())
            if schema.get("additionalProperties") is not False or set(properties or ()) != set(required):
                return False
        return all(is_strict(value) for value in schema.values())
    if isinstance(schema, list):
        return all(is_strict(value) for value in schema)
    return True


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one call."""

    prompt: int
    completion: int
    total: int
    estimated: bool


def estimate(text: str) -> int:
    """Return how many tokens `text` has at most, nearly always. Exact counts would cost 109 MB and time."""
    return math.ceil(len(text.encode("utf-8", "surrogatepass")) / _BYTES_PER_TOKEN)


def read_usage(raw: object, request: ModelRequest, text: str) -> Usage:
    """Return the provider's token counts, and our estimate for each that is missing or cannot be right."""
    counts = _mapping(raw)
    prompt = _count(counts.get("prompt_tokens"))
    completion = _count(counts.get("completion_tokens"))
    estimated = False
    if not prompt:  # a prompt is never empty: none means not counted
        prompt, estimated = estimate(request.user) + estimate(request.system or ""), True
    if completion is None or (completion == 0 and text):
        completion, estimated = estimate(text), True
    return Usage(
        prompt, completion, max(_count(counts.get("total_tokens")) or 0, prompt + completion), estimated
    )


def _count(value: object) -> int | None:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST:
        return value
    return None


def read_reply(
    body: Mapping[str, Any],
    request: ModelRequest,
    *,
    provider: str,
    latency_ms: float,
    cost: Callable[[int, int], int | None],
) -> ModelReply:
    """Turn a successful response's body into a reply. `cost` prices prompt and completion tokens in nano-USD.

    Raises AnswerMissing, AnswerRefused and AnswerTruncated with the reply on them, ProviderBadResponse if the
    body has another shape.
    """
    choice = _first(body.get("choices"))
    message = _mapping(choice.get("message"))
    text = _content(message.get("content"))
    usage = read_usage(body.get("usage"), request, text or "")
    reply = ModelReply(
        text=text or "",
        model=request.model,
        provider=provider,
        prompt_tokens=usage.prompt,
        completion_tokens=usage.completion,
        total_tokens=usage.total,
        cost_nanousd=cost(usage.prompt, usage.completion),
        latency_ms=latency_ms,
        finish_reason=str(choice.get("finish_reason") or "stop").lower(),
        usage_estimated=usage.estimated,
    )
    return check_reply(reply, refused=bool(_refusal(message)), missing=text is None)


def check_reply(reply: ModelReply, *, refused: bool, missing: bool) -> ModelReply:
    """Return `reply` if it can be used; otherwise raise what is wrong, with the reply on the error."""
    if refused or reply.finish_reason in _FILTERED:
        raise AnswerRefused(reply=replace(reply, finish_reason="refusal"))
    if reply.finish_reason in _CUT:
        raise AnswerTruncated(reply=reply)
    if missing:
        raise AnswerMissing(reply=reply)
    return reply


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _first(choices: object) -> Mapping[str, Any]:
    if choices is None or (isinstance(choices, Sequence) and not choices):
        return {}
    if isinstance(choices, list) and isinstance(choices[0], Mapping):
        return choices[0]
    raise ProviderBadResponse("The answer has no list of choices")


def _content(content: object) -> str | None:
    if isinstance(content, str):
        return content
    if isinstance(content, list):  # some servers answer in parts
        parts = [part.get("text") for part in content if isinstance(part, Mapping)]
        texts = [part for part in parts if isinstance(part, str)]
        return "".join(texts) if texts else None
    return None


def _refusal(message: Mapping[str, Any]) -> object:
    return message.get("refusal") or _mapping(message.get("provider_specific_fields")).get("refusal")
