"""An agent version ready to run: template, schema, policy and provider, compiled once per process."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from agents_app import registry
from agents_app.spec import AgentSpec, behaviour_hash
from enrichment.answer import AnswerContract, compile_schema
from enrichment.policy import CompiledPolicy, compile_policy
from enrichment.prompt import CompiledPrompt, compile_prompt
from enrichment.providers import Provider, ProviderConfig, provider_for
from enrichment.writeback import hidden_roots
from executions_app.limits import Rules, rules_of


@dataclass(frozen=True, slots=True)
class CompiledAgent:
    """Everything about one immutable agent version that does not depend on a document."""

    spec: AgentSpec
    behaviour: str
    declared: Mapping[str, Any]
    hidden: frozenset[str]
    prompt: CompiledPrompt
    contract: AnswerContract
    policy: CompiledPolicy
    provider: Provider
    rules: Rules


_CACHE: Final[dict[int, CompiledAgent]] = {}
_LOCK: Final = threading.Lock()


def compiled_agent(version_id: int, providers: ProviderConfig) -> CompiledAgent:
    """Give the compiled version; versions never change, so the cache never goes stale."""
    found = _CACHE.get(version_id)
    if found is not None:
        return found
    with _LOCK:
        if version_id not in _CACHE:
            _CACHE[version_id] = _compile(registry.spec_of(version_id), providers)
        return _CACHE[version_id]


def _compile(spec: AgentSpec, providers: ProviderConfig) -> CompiledAgent:
    return CompiledAgent(
        spec=spec,
        behaviour=behaviour_hash(spec),
        declared=spec.model_dump(mode="json"),
        hidden=hidden_roots(spec),
        prompt=compile_prompt(spec),
        contract=compile_schema(spec.ai.response_schema),
        policy=compile_policy(spec.policy),
        provider=provider_for(spec.ai, providers),
        rules=rules_of(spec),
    )


def forget() -> None:
    """Empty the cache. For tests, whose databases reuse ids; nothing else needs it."""
    with _LOCK:
        _CACHE.clear()
