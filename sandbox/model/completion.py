"""One call: what was asked, and the answer that the sandbox computes for it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sandbox.model import MODEL_NAME
from sandbox.model.schema_answer import SchemaAnswer
from sandbox.model.schema_hints import schema_in_words
from sandbox.model.words import phrase, words_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_CHARACTERS_PER_TOKEN = 4


class BadRequest(ValueError):
    """The request body is not a chat completion request."""


@dataclass(frozen=True, slots=True)
class Question:
    """A call's prompt, the schema asked for, and the fields of the protocol that it came by."""

    prompt: str
    hash: str
    schema: Mapping[str, Any] | None
    wants_json: bool
    external: bool


def prompt_hash(messages: Iterable[Mapping[str, Any]]) -> str:
    """The key under which calls are counted: 32 hex digits over roles and texts."""
    told = [[message.get("role"), _text_of(message.get("content"))] for message in messages]
    return hashlib.sha256(json.dumps(told, separators=(",", ":")).encode()).hexdigest()[:32]


def read_question(body: bytes, *, external: bool) -> Question:
    """Reads a chat completion request, or the request of the `external` provider; raises BadRequest."""
    try:
        data = json.loads(body)
    except ValueError as exc:
        raise BadRequest(f"the body is no JSON: {exc}") from exc
    if not isinstance(data, dict):
        raise BadRequest("the body is no object")
    messages = _external_messages(data) if external else data.get("messages")
    if not isinstance(messages, list) or not all(isinstance(message, dict) for message in messages):
        raise BadRequest("messages: a list of objects is required")
    wanted = data.get("response_format")
    wanted = {"type": wanted} if isinstance(wanted, str) else wanted if isinstance(wanted, dict) else {}
    prompt = "\n".join(_text_of(message.get("content")) for message in messages)
    return Question(
        prompt=prompt,
        hash=prompt_hash(messages),
        schema=_schema_of(wanted, prompt),
        wants_json=wanted.get("type") in ("json_object", "json_schema", "json"),
        external=external,
    )


def answer_text(question: Question) -> str:
    """The same text for the same prompt and schema: valid JSON where JSON is wanted."""
    seed = int(question.hash[:16], 16)
    words = words_of(question.prompt)
    if question.schema is not None:
        return json.dumps(SchemaAnswer(question.schema, seed=seed, words=words).value(), ensure_ascii=False)
    maker = SchemaAnswer({}, seed=seed, words=words)
    text = (
        maker.value()
        if question.wants_json
        else f"Sandbox answer, no language model: {phrase(words, maker.rng, 8)}"
    )
    return json.dumps({"answer": text}, ensure_ascii=False) if question.wants_json else text


def usage_of(prompt: str, answer: str) -> dict[str, int]:
    """Token counts by the rule of thumb of four characters each."""
    asked, told = (max(1, len(text) // _CHARACTERS_PER_TOKEN) for text in (prompt, answer))
    return {"prompt_tokens": asked, "completion_tokens": told, "total_tokens": asked + told}


def reply_body(
    question: Question,
    content: str | None,
    *,
    created: int,
    finish_reason: str = "stop",
    refusal: str | None = None,
    with_usage: bool = True,
    with_choice: bool = True,
) -> bytes:
    """The reply in the protocol of the question."""
    usage = {"usage": usage_of(question.prompt, content or "")} if with_usage else {}
    body: dict[str, Any]
    if question.external:
        body = {"content": content, "model": MODEL_NAME, "finish_reason": finish_reason, **usage}
    else:
        message = {"role": "assistant", "content": content, "refusal": refusal}
        choice = {"index": 0, "message": message, "finish_reason": finish_reason, "logprobs": None}
        body = {
            "id": f"chatcmpl-sandbox-{question.hash[:12]}",
            "object": "chat.completion",
            "created": created,
            "model": MODEL_NAME,
            "choices": [choice] if with_choice else [],
            **usage,
        }
    return json.dumps(body).encode()


def _text_of(content: Any) -> str:
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""


def _external_messages(data: Mapping[str, Any]) -> list[dict[str, Any]]:
    system, prompt = data.get("system_prompt"), data.get("prompt")
    if not isinstance(prompt, str):
        raise BadRequest("prompt: a text is required")
    told = [{"role": "system", "content": system}] if isinstance(system, str) else []
    return [*told, {"role": "user", "content": prompt}]


def _schema_of(wanted: Mapping[str, Any], prompt: str) -> Mapping[str, Any] | None:
    outer = wanted.get("json_schema")
    schema = outer.get("schema") if isinstance(outer, dict) else None
    if isinstance(schema, dict):
        return schema
    return schema_in_words(prompt) if wanted else None
