"""Models, providers and what is passed on to them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from agents_app.spec import AgentSpec, dump_json, parse_spec

Spec = Callable[..., AgentSpec]
Problems = Callable[..., list[str]]
Data = Callable[..., dict[str, Any]]


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("openai", "gpt-4o-mini"),
        ("openai", "gpt-5"),
        ("openai", "o3-mini"),
        ("anthropic", "claude-sonnet-4-5"),
        ("bedrock", "us.anthropic.claude-3-5-sonnet-20241022-v2:0"),
        ("google", "gemini-2.5-flash"),
        ("groq", "llama-3.1-8b-instant"),
        ("mistral", "open-mixtral-8x7b"),
        ("azure", "my-deployment"),
        ("openrouter", "openrouter/openai/gpt-4o-mini"),
        ("sandbox", "sandbox-1"),
        ("OpenAI", "gpt-4o"),
    ],
)
def test_known_models_pass_in_silence(warnings: Problems, provider: str, model: str) -> None:
    assert warnings(ai__provider=provider, ai__model=model) == []


def test_an_unknown_model_is_remarked_upon_and_accepted(spec: Spec, warnings: Problems) -> None:
    assert spec(ai__model="brand-new-1").ai.model == "brand-new-1"
    assert warnings(ai__model="brand-new-1") == [
        "ai.model: 'brand-new-1' is not a model of openai that we know; it is passed on as it is"
    ]


def test_an_unknown_provider_is_accepted(spec: Spec, warnings: Problems) -> None:
    assert spec(ai__provider="Acme").ai.provider == "acme"
    assert warnings(ai__provider="Acme") == []


def test_an_external_agent_needs_an_address(spec: Spec, problems: Problems) -> None:
    assert problems(ai__provider="external") == [
        "ai.extra_params.external_url: is required when ai.provider is external"
    ]
    assert problems(ai__provider="external", ai__extra_params={"external_url": "ftp://a"}) == [
        "ai.extra_params.external_url: must be an http or https address"
    ]
    for key in ("external_url", "external_agent_url"):
        params = {key: "http://a/b", "n": 2, "model": "x"}
        assert spec(ai__provider="external", ai__extra_params=params).ai.extra_params == params


@pytest.mark.parametrize(
    ("key", "place"),
    [
        ("temperature", "ai.temperature"),
        ("model", "ai.model"),
        ("api_key", "ai.api_key_ref"),
        ("timeout", "execution.timeout_seconds"),
        ("num_retries", "execution.max_retries"),
    ],
)
def test_extra_params_may_not_contradict_settings(problems: Problems, key: str, place: str) -> None:
    assert problems(ai__extra_params={key: 1}) == [f"ai.extra_params.{key}: belongs in {place}"]


def test_extra_params_may_not_ask_for_what_we_cannot_read(problems: Problems) -> None:
    assert problems(ai__extra_params={"stream": True, "top_p": 1}) == [
        "ai.extra_params.stream: is not supported: answers are not streamed"
    ]


@pytest.mark.parametrize("key", ["sk-ant-abcdefgh1234", "AIzaSyA1234567890", "Bearer abcdefghij"])
def test_a_key_in_clear_is_refused_and_not_repeated(problems: Problems, key: str) -> None:
    (problem,) = problems(ai__api_key_ref=key)
    assert problem.startswith("ai.api_key_ref: looks like a key itself")
    assert key not in problem


@pytest.mark.parametrize("reference", ["env:OPENAI_API_KEY", "file:/run/secrets/key", "vault/team/openai"])
def test_a_reference_to_a_key_is_accepted(spec: Spec, reference: Any) -> None:
    assert spec(ai__api_key_ref=reference).ai.api_key_ref == reference


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        ("ai.response_format", "json", "ai.response_schema decides what an answer looks like"),
        (
            "execution.deduplicate_window_seconds",
            9,
            "an unchanged input is skipped however old the answer is",
        ),
        ("watch.projection", ["a"], "the worker reads the whole document"),
        ("write.idempotency_key", "k", "runs are idempotent by themselves"),
    ],
)
def test_a_setting_that_nothing_reads_yet_draws_a_remark(
    warnings: Problems, setting: str, value: Any, message: str
) -> None:
    assert warnings(**{setting.replace(".", "__"): value}) == [f"{setting}: has no effect yet; {message}"]


def test_every_setting_without_effect_is_remarked_upon_and_no_default_is(data: Data) -> None:
    assert parse_spec(data()).warnings == ()
    assert parse_spec(dump_json(parse_spec(data()).spec)).warnings == ()


def test_settings_that_do_nothing_beside_others_draw_a_remark(warnings: Problems) -> None:
    assert warnings(execution__require_document_hash_match=True, execution__on_conflict="rerun") == [
        "execution.require_document_hash_match: has an effect only with consistency_mode strict_post_commit",
        "execution.on_conflict: has an effect only with consistency_mode strict_post_commit",
    ]
    assert warnings(write__path="a", write__array_field="b") == [
        "write.path: is not used when write.strategy is merge",
        "write.array_field: is not used when write.strategy is merge",
    ]
    assert warnings(policy={"action": "block"}) == [
        "policy.action: without a condition every answer is blocked: each is paid for, none is written"
    ]
