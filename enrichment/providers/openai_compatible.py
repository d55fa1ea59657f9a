"""Any server that speaks OpenAI's chat completions: the sandbox model, vLLM, llama.cpp, a gateway."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from enrichment.errors import ProviderBadResponse, ProviderError
from enrichment.providers import chat, params
from enrichment.providers.base import ModelReply, ModelRequest
from enrichment.providers.egress import Egress
from enrichment.providers.failures import read_refusal, refused
from enrichment.providers.http import Endpoint, HttpReply, checked_headers
from enrichment.providers.prices import cost_of
from enrichment.providers.retry_after import retry_after

_FREE = frozenset({"sandbox"})
_ERRORS = range(400, 600)


class OpenAICompatible:
    """A server at `base_url`, with or without `/v1` at its end.

    `name` is the name on record. `model` is what the server calls the model, if not what the request does, and
    `priced_as` litellm's name of it, by which its price is found. `api_key` is sent as a bearer token.
    `request_timeout` is the most seconds for one call. `egress` bounds an address that is not the operator's own.
    `clock` gives seconds, `now` the date for `Retry-After`.
    """

    def __init__(
        self,
        base_url: str,
        *,
        name: str = "custom",
        model: str | None = None,
        priced_as: str | None = None,
        api_key: str | None = None,
        pool_size: int = 64,
        request_timeout: float = math.inf,
        egress: Egress | None = None,
        clock: Callable[[], float] = time.perf_counter,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._name = name
        self._model = model
        self._priced_as = priced_as
        self._endpoint = Endpoint(_chat_url(base_url), name=name, pool_size=pool_size, egress=egress)
        self._headers = {} if api_key is None else checked_headers({"Authorization": f"Bearer {api_key}"})
        self._secrets = () if api_key is None else (api_key,)
        self._request_timeout = request_timeout
        self._clock = clock
        self._now = now

    @property
    def name(self) -> str:
        """The name on record."""
        return self._name

    def complete(self, request: ModelRequest) -> ModelReply:
        """Ask once. See `Provider.complete`."""
        started = self._clock()
        timeout = min(request.timeout, self._request_timeout)
        reply = self._endpoint.post(self._payload(request), self._headers, timeout=timeout)
        latency_ms = (self._clock() - started) * 1000
        body = reply.json()
        if not reply.ok or not isinstance(body, Mapping) or body.get("error"):
            raise self._failure(reply, body, request)
        return chat.read_reply(
            body,
            request,
            provider=self._name,
            latency_ms=latency_ms,
            cost=lambda prompt, completion: self._cost(request.model, prompt, completion),
        )

    def _payload(self, request: ModelRequest) -> dict[str, Any]:
        payload: dict[str, Any] = {
            "model": self._model or request.model,
            "messages": chat.messages(request),
            "temperature": request.temperature,
            "max_tokens": request.max_tokens,
        }
        constraint = chat.response_format(request)
        if constraint is not None:
            payload["response_format"] = constraint
        if request.extra_params:
            payload.update(params.sendable(request.extra_params, provider="custom"))
        return payload

    def _cost(self, model: str, prompt_tokens: int, completion_tokens: int) -> int | None:
        if self._name in _FREE:
            return 0
        return cost_of(self._priced_as or model, prompt_tokens, completion_tokens)

    def _failure(self, reply: HttpReply, body: object, request: ModelRequest) -> ProviderError:
        refusal = read_refusal(_status(reply.status, body), body)
        if not isinstance(body, Mapping) and reply.ok:
            return ProviderBadResponse(f"{self._name} answered with something that is not a JSON object")
        return refused(
            self._name,
            refusal,
            retry_after=retry_after(reply.headers, now=self._now()),
            secrets=self._secrets,
            request=request,
        )


def _status(status: int, body: object) -> int:
    """Gateways such as OpenRouter report errors with status 200 and the true status inside."""
    if status >= HTTPStatus.MULTIPLE_CHOICES or not isinstance(body, Mapping):
        return status
    error = body.get("error")
    code = error.get("code") if isinstance(error, Mapping) else None
    return code if isinstance(code, int) and code in _ERRORS else HTTPStatus.INTERNAL_SERVER_ERROR


def _chat_url(base_url: str) -> str:
    base = base_url.rstrip("/")
    if base.endswith("/chat/completions"):
        return base
    return f"{base}/chat/completions" if base.endswith("/v1") else f"{base}/v1/chat/completions"
