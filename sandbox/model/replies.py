"""What goes over the wire for a call: a sound reply, or the one that its fault asks for."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sandbox.model.completion import answer_text, reply_body
from sandbox.model.faults import FaultKind
from sandbox.model.http import response

if TYPE_CHECKING:
    from sandbox.model.completion import Question
    from sandbox.model.faults import FaultRule

_STATUS = {
    FaultKind.RATE_LIMIT: (429, "rate_limit_error", "rate_limit_exceeded", "Rate limit reached"),
    FaultKind.INSUFFICIENT_QUOTA: (429, "insufficient_quota", "insufficient_quota", "Quota exceeded"),
    FaultKind.UNAUTHORIZED: (401, "invalid_request_error", "invalid_api_key", "Incorrect API key provided"),
    FaultKind.BAD_REQUEST: (400, "invalid_request_error", "invalid_value", "Invalid request"),
    FaultKind.CONTEXT_TOO_LONG: (
        400, "invalid_request_error", "context_length_exceeded", "The maximum context length is exceeded",
    ),
    FaultKind.CONTENT_POLICY: (
        400, "invalid_request_error", "content_policy_violation", "Rejected by the safety system",
    ),
    FaultKind.UNKNOWN_MODEL: (404, "invalid_request_error", "model_not_found", "The model does not exist"),
    FaultKind.ERROR_500: (500, "server_error", "server_error", "The server had an error"),
    FaultKind.UNAVAILABLE: (503, "server_error", "service_unavailable", "The service is unavailable"),
    FaultKind.OVERLOADED: (529, "overloaded_error", "overloaded", "Overloaded"),
}  # fmt: skip
_PAGE = b"<!doctype html><html><body><h1>502 Bad Gateway</h1></body></html>"
_MISFIT = '{"sandbox_misfit": {"$set": {"_id": 1}}, "nested": [[[]]]}'


@dataclass(frozen=True, slots=True)
class Reply:
    """The bytes of a reply and the text of the answer in it."""

    data: bytes
    answer: str | None = None


def sound_reply(question: Question, *, created: int) -> Reply:
    """The answer of the sandbox."""
    text = answer_text(question)
    return Reply(response(200, reply_body(question, text, created=created)), text)


def faulty_reply(rule: FaultRule, question: Question, *, created: int) -> Reply:
    """The reply that the rule asks for; for faults of the connection it is a sound one."""
    kind = rule.kind
    if kind in _STATUS:
        return Reply(_error(rule))
    if kind is FaultKind.HTML:
        return Reply(response(200, _PAGE, content_type="text/html"))
    text = answer_text(question)
    if kind is FaultKind.BAD_BODY:
        body = reply_body(question, text, created=created)
        return Reply(response(200, body[: len(body) // 2]))
    content = _content(rule, text)
    body = reply_body(
        question,
        content,
        created=created,
        finish_reason="length" if kind is FaultKind.TRUNCATED else "stop",
        refusal="I can't help with that." if kind is FaultKind.REFUSAL else None,
        with_usage=kind is not FaultKind.NO_USAGE,
        with_choice=kind is not FaultKind.NO_CHOICES,
    )
    return Reply(response(200, body), content)


def _content(rule: FaultRule, text: str) -> str | None:
    cut = text[: max(1, len(text) // 2)]
    return {
        FaultKind.REFUSAL: None,
        FaultKind.EMPTY: "",
        FaultKind.BAD_JSON: cut,
        FaultKind.TRUNCATED: cut,
        FaultKind.BAD_SCHEMA: _MISFIT,
        FaultKind.CONTENT: rule.content,
    }.get(rule.kind, text)


def _error(rule: FaultRule) -> bytes:
    status, kind, code, message = _STATUS[rule.kind]
    error = {"message": f"{message} (sandbox)", "type": kind, "param": None, "code": code}
    retry_after = rule.retry_after
    if retry_after is None and rule.kind is FaultKind.RATE_LIMIT:
        retry_after = 1
    extra = f"retry-after: {retry_after:g}\r\n" if retry_after is not None else ""
    return response(status, json.dumps({"error": error}).encode(), extra=extra)
