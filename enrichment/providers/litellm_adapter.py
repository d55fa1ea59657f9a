"""Every provider that litellm knows.

Importing litellm takes 2 s and 150 MB, so it happens at the first call, in a worker. Its retries, fallbacks,
caches, callbacks and look-ups on the internet are all off: one call here is one HTTP request to the provider.
"""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

from enrichment.errors import ProviderBadResponse, ProviderNotInstalled, ProviderTimeout
from enrichment.providers import chat, params
from enrichment.providers.base import ModelReply, ModelRequest
from enrichment.providers.litellm_errors import translate
from enrichment.providers.prices import cost_of

# Without these, the import and the first calls reach for GitHub and Hugging Face, up to 23 s each in a closed
# network.
_OFFLINE: Final[Mapping[str, str]] = {
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS": "True",
    "LITELLM_LOCAL_BLOG_POSTS": "True",
    "LITELLM_LOCAL_POLICY_TEMPLATES": "True",
    "LITELLM_LOCAL_AUTOROUTER_PRESETS": "True",
    "HF_HUB_OFFLINE": "1",
    "LITELLM_MODE": "PRODUCTION",  # otherwise it reads a .env file on its own
}
_ADDRESS: Final[Mapping[str, Mapping[str, str]]] = {
    "azure": {"api_base": "AZURE_API_BASE", "api_version": "AZURE_API_VERSION"},
    "hosted_vllm": {"api_base": "HOSTED_VLLM_API_BASE"},
    "lm_studio": {"api_base": "LM_STUDIO_API_BASE"},
    "ollama": {"api_base": "OLLAMA_API_BASE"},
    "ollama_chat": {"api_base": "OLLAMA_API_BASE"},
    "openai": {"api_base": "OPENAI_API_BASE"},
}
# litellm speaks to these through a client of its own, which follows redirects, unless it is given ours.
_OWN_PROTOCOL: Final = frozenset({"anthropic", "google"})
_import_lock = threading.Lock()


def _litellm(pool_size: int) -> Any:
    with _import_lock:  # lru_cache lets two threads in at once
        return _load(pool_size)


@lru_cache(maxsize=1)
def _load(pool_size: int) -> Any:
    os.environ.update({name: os.environ.get(name, value) for name, value in _OFFLINE.items()})
    try:
        import litellm
    except ImportError:
        raise ProviderNotInstalled("litellm is not installed: install MongoClaw with its providers") from None
    from enrichment.providers.litellm_transport import session

    litellm.suppress_debug_info = True
    litellm.disable_hf_tokenizer_download = True
    litellm.client_session = session(pool_size)
    return litellm


@lru_cache(maxsize=1)
def _handler(session: Any) -> Any:
    from litellm.llms.custom_httpx.http_handler import HTTPHandler

    return HTTPHandler(client=session)


class LiteLLM:
    """One model behind litellm.

    `model` is litellm's name for it and `vendor` is who serves it. `api_key` None leaves the key to the
    vendor's own library. `env` holds the addresses of self-hosted vendors. `request_timeout` is the most
    seconds for one call.
    """

    def __init__(
        self,
        *,
        vendor: str,
        model: str,
        api_key: str | None,
        env: Mapping[str, str],
        pool_size: int = 64,
        request_timeout: float = math.inf,
        clock: Callable[[], float] = time.perf_counter,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._vendor = vendor
        self._model = model
        self._key = api_key
        self._address = {name: env[key] for name, key in _ADDRESS.get(vendor, {}).items() if env.get(key)}
        self._pool_size = pool_size
        self._request_timeout = request_timeout
        self._clock = clock
        self._now = now

    @property
    def name(self) -> str:
        """The vendor, such as `anthropic`."""
        return self._vendor

    def complete(self, request: ModelRequest) -> ModelReply:
        """Ask once. See `Provider.complete`."""
        arguments = self._arguments(request)
        if arguments["timeout"] <= 0:
            raise ProviderTimeout(f"No time was left to call {self._vendor}")
        litellm = _litellm(self._pool_size)
        if self._vendor in _OWN_PROTOCOL:
            arguments["client"] = _handler(litellm.client_session)
        started = self._clock()
        try:
            answer = litellm.completion(**arguments).model_dump()
        except Exception as error:  # noqa: BLE001 - it raises much that is not in its own tree
            secrets = () if self._key is None else (self._key,)
            # Not `from error`: litellm's text quotes the provider's whole answer, which may quote key and
            # prompt.
            raise translate(
                error, vendor=self._vendor, request=request, secrets=secrets, now=self._now()
            ) from None
        latency_ms = (self._clock() - started) * 1000
        if not isinstance(answer, Mapping):
            raise ProviderBadResponse(f"{self._vendor} answered with something that is not an object")
        return chat.read_reply(
            answer,
            request,
            provider=self._vendor,
            latency_ms=latency_ms,
            cost=lambda prompt, completion: cost_of(self._model, prompt, completion, vendor=self._vendor),
        )

    def _arguments(self, request: ModelRequest) -> dict[str, Any]:
        arguments: dict[str, Any] = {
            **params.sendable(request.extra_params, provider=self._vendor),
            **self._address,
            "model": self._model,
            "messages": chat.messages(request),
            "temperature": request.temperature,
            "max_tokens": request.max_tokens,
            "timeout": min(request.timeout, self._request_timeout),
            "max_retries": 0,
            "num_retries": 0,
            # A newer model may accept only one temperature, and says so with an error; the agent's is left
            # out then.
            "drop_params": True,
        }
        constraint = chat.response_format(request)
        if constraint is not None:
            arguments["response_format"] = constraint
        if self._key is not None:
            arguments["api_key"] = self._key
        return arguments
