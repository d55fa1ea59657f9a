"""An agent of the user's own behind HTTP: `ai.provider: external`."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from enrichment.errors import ProviderBadResponse, ProviderRejected
from enrichment.providers import chat
from enrichment.providers.base import ModelReply, ModelRequest
from enrichment.providers.egress import Egress
from enrichment.providers.failures import read_refusal, refused
from enrichment.providers.http import Endpoint, checked_headers
from enrichment.providers.keys import is_reference, referenced_key
from enrichment.providers.retry_after import retry_after

NAME = "external"
_LABEL = "External agent"
_NANO = 1_000_000_000
_OWN = frozenset(
    {
        "external_agent_id",
        "external_agent_url",
        "external_auth_header",
        "external_auth_token",
        "external_headers",
        "external_timeout_seconds",
        "external_url",
    }
)


@dataclass(frozen=True, slots=True)
class ExternalTarget:
    """Where an external agent listens. `timeout` is in seconds. `metadata` is sent with each request."""

    url: str
    agent_id: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)
    timeout: float = math.inf
    metadata: Mapping[str, Any] = field(default_factory=dict)


def read_target(
    extra: Mapping[str, Any],
    *,
    api_key_ref: str | None,
    env: Mapping[str, str],
    secrets_dir: Path | None = None,
) -> ExternalTarget:
    """Read the `external_…` settings of `ai.extra_params`.

    Raises ProviderRejected if one cannot be used, ProviderAuthFailed if the key that they name is missing.
    """
    url = extra.get("external_url", extra.get("external_agent_url"))
    if not isinstance(url, str):
        raise ProviderRejected("ai.extra_params.external_url is required when ai.provider is external")
    headers = extra.get("external_headers") or {}
    if not isinstance(headers, Mapping) or not all(isinstance(value, str) for value in headers.values()):
        raise ProviderRejected("ai.extra_params.external_headers must be an object of texts")
    reference, token = _token(extra.get("external_auth_token"), api_key_ref)
    if reference is not None:
        token = referenced_key(reference, env, directory=secrets_dir)
    timeout = extra.get("external_timeout_seconds", math.inf)
    if isinstance(timeout, bool) or not isinstance(timeout, (int, float)) or not timeout > 0:
        raise ProviderRejected("ai.extra_params.external_timeout_seconds must be a number of seconds above 0")
    agent_id = extra.get("external_agent_id")
    return ExternalTarget(
        url=url,
        agent_id=None if agent_id is None else str(agent_id),
        headers=checked_headers({**headers, **_authorization(token, extra.get("external_auth_header"))}),
        secrets=tuple(secret for secret in (token, *headers.values()) if secret),
        timeout=float(timeout),
        metadata={key: value for key, value in extra.items() if key not in _OWN},
    )


def _token(token: object, api_key_ref: str | None) -> tuple[str | None, str | None]:
    """Return what names the token, or the token itself."""
    if token is None:
        return api_key_ref, None
    if not isinstance(token, str):
        raise ProviderRejected("ai.extra_params.external_auth_token must be a text")
    return (token, None) if is_reference(token) else (None, token)


def _authorization(token: str | None, header: object) -> dict[str, str]:
    if token is None:
        return {}
    name = header if isinstance(header, str) and header else "Authorization"
    return {name: f"Bearer {token}" if name.lower() == "authorization" else token}


class External:
    """Speaks the external agent protocol of MongoClaw 1.0.4.

    `request_timeout` is the most seconds for one call, `egress` what may be called. `clock` gives seconds, `now` the
    date for `Retry-After`.
    """

    name = NAME

    def __init__(
        self,
        target: ExternalTarget,
        *,
        pool_size: int = 64,
        request_timeout: float = math.inf,
        egress: Egress | None = None,
        clock: Callable[[], float] = time.perf_counter,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._target = target
        self._endpoint = Endpoint(target.url, name=_LABEL, pool_size=pool_size, egress=egress)
        self._timeout = min(target.timeout, request_timeout)
        self._clock = clock
        self._now = now

    def complete(self, request: ModelRequest) -> ModelReply:
        """Ask once. See `Provider.complete`."""
        started = self._clock()
        timeout = min(request.timeout, self._timeout)
        reply = self._endpoint.post(self._payload(request), self._target.headers, timeout=timeout)
        latency_ms = (self._clock() - started) * 1000
        body = reply.json()
        if not reply.ok:
            raise refused(
                _LABEL,
                read_refusal(reply.status, body),
                retry_after=retry_after(reply.headers, now=self._now()),
                secrets=self._target.secrets,
                request=request,
            )
        if not isinstance(body, Mapping):
            raise ProviderBadResponse(
                f"{_LABEL} answered with something that is not a JSON object", status=reply.status
            )
        return _reply(body, request, latency_ms)

    def _payload(self, request: ModelRequest) -> dict[str, Any]:
        structured = request.json_schema is not None or request.json_mode
        return {
            "agent_id": self._target.agent_id or request.model,
            "model": request.model,
            "prompt": request.user,
            "system_prompt": request.system,
            "temperature": request.temperature,
            "max_tokens": request.max_tokens,
            "response_format": "json_object" if structured else None,
            "metadata": {**request.metadata, **self._target.metadata},
        }


def _reply(body: Mapping[str, Any], request: ModelRequest, latency_ms: float) -> ModelReply:
    choice = _choice(body)
    text = _text(body, choice)
    usage = chat.read_usage(body.get("usage"), request, text)
    finish = body.get("finish_reason") or choice.get("finish_reason") or "stop"
    model = body.get("model")
    reply = ModelReply(
        text=text,
        model=model if isinstance(model, str) and model else request.model,
        provider=NAME,
        prompt_tokens=usage.prompt,
        completion_tokens=usage.completion,
        total_tokens=usage.total,
        cost_nanousd=_cost(body.get("usage")),
        latency_ms=latency_ms,
        finish_reason=str(finish).lower(),
        usage_estimated=usage.estimated,
    )
    return chat.check_reply(reply, refused=False, missing=body.get("choices") == [] and text == "")


def _choice(body: Mapping[str, Any]) -> Mapping[str, Any]:
    choices = body.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    return first if isinstance(first, Mapping) else {}


def _text(body: Mapping[str, Any], choice: Mapping[str, Any]) -> str:
    message = choice.get("message")
    inner = message.get("content") if isinstance(message, Mapping) else None
    for candidate in (body.get("content"), body.get("output"), inner, choice.get("text")):
        if isinstance(candidate, str):
            return candidate
    # The whole body is the answer. As JSON, not as Python's text form: so an agent may answer with the bare
    # object.
    return "" if "choices" in body else json.dumps(body)


def _cost(usage: object) -> int | None:
    cost = usage.get("cost_usd") if isinstance(usage, Mapping) else None
    if isinstance(cost, bool) or not isinstance(cost, (int, float)) or not 0 <= cost < _NANO:
        return None
    return math.ceil(cost * _NANO - 1e-6)
