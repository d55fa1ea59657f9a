"""What every model provider is asked, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from enrichment.providers.egress import Egress


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """One call of a model.

    `timeout` is in seconds and is the whole time for the call, from the connection to the last byte of the
    answer. `json_schema` is what the answer shall look like; `json_mode` asks for a JSON object of any shape.
    `extra_params` go to the provider, as far as it knows them. `metadata` is for an external agent only.
    """

    model: str
    user: str = field(repr=False)
    system: str | None = field(default=None, repr=False)
    temperature: float = 0.7
    max_tokens: int = 2048
    json_schema: Mapping[str, Any] | None = None
    json_mode: bool = False
    extra_params: Mapping[str, Any] = field(default_factory=dict)
    timeout: float = 60.0
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ModelReply:
    """One answer.

    `cost_nanousd` is in billionths of a US dollar, and None where no price is known. `latency_ms` is in
    milliseconds. `usage_estimated` says that the provider did not count the tokens and that we did, on the
    high side.
    """

    text: str = field(repr=False)
    model: str
    provider: str
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    cost_nanousd: int | None
    latency_ms: float
    finish_reason: str = "stop"
    usage_estimated: bool = False


class Provider(Protocol):
    """Something that answers prompts."""

    @property
    def name(self) -> str:
        """The name on record in replies, documents and metrics."""
        ...

    def complete(self, request: ModelRequest) -> ModelReply:
        """Ask once; nothing is tried again here.

        Raises an error of the `ProviderError` family. An answer that was paid for but cannot be used
        (refused, cut, missing) is on the error as `reply`.
        """
        ...


@dataclass(frozen=True, slots=True)
class ProviderConfig:
    """What the process gives to all providers.

    `sandbox_url` is the sandbox model's address, if there is one. `request_timeout` is in seconds and is the
    most for one call. `pool_size` is how many connections to one provider are kept open: not fewer than calls
    in flight. `env` is where API keys are looked up, and `secrets_dir` where those in files are. `direct` lets
    vendors that speak OpenAI's own format be called without litellm. `egress` bounds the addresses that agents
    name themselves.
    """

    sandbox_url: str | None = None
    request_timeout: float = 60.0
    pool_size: int = 64
    direct: bool = True
    egress: Egress = field(default_factory=Egress)
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    secrets_dir: Path | None = None
