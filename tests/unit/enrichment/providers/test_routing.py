from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from agents_app.spec import AISpec
from enrichment.errors import ProviderAuthFailed, ProviderRejected
from enrichment.providers import FACTORIES, ProviderConfig, provider_for, route
from enrichment.providers.direct import plain_name
from enrichment.providers.keys import (
    VENDORS,
    has_key,
    key_names,
    model_name,
    referenced_key,
    vendor_key,
    vendor_of,
)

SANDBOX = "http://127.0.0.1:9/v1"


def make_ai(**fields: Any) -> AISpec:
    return AISpec(**{"prompt": "x", **fields})


@pytest.mark.parametrize(
    ("fields", "env", "sandbox", "expected"),
    [
        ({"provider": "sandbox"}, {}, SANDBOX, "sandbox"),
        ({"provider": "external", "extra_params": {"external_url": "http://h"}}, {}, SANDBOX, "external"),
        ({}, {}, SANDBOX, "sandbox"),
        ({}, {"OPENAI_API_KEY": "k"}, SANDBOX, "direct"),
        ({"model": "gpt-5-mini"}, {"OPENAI_API_KEY": "k"}, SANDBOX, "litellm"),
        ({"model": "o3-mini"}, {"OPENAI_API_KEY": "k"}, SANDBOX, "litellm"),
        ({"model": "openai/gpt-4o"}, {"OPENAI_API_KEY": "k"}, SANDBOX, "direct"),
        ({"provider": "groq", "model": "openai/gpt-oss-20b"}, {"GROQ_API_KEY": "k"}, SANDBOX, "direct"),
        ({"provider": "hosted_vllm", "model": "m"}, {}, SANDBOX, "litellm"),
        ({"provider": "hosted_vllm", "model": "m"}, {"HOSTED_VLLM_API_BASE": "http://h"}, SANDBOX, "direct"),
        ({}, {"OPENAI_API_KEY": "  "}, SANDBOX, "sandbox"),
        ({}, {"ANTHROPIC_API_KEY": "k"}, SANDBOX, "sandbox"),
        ({"model": "claude-sonnet-4-5"}, {"ANTHROPIC_API_KEY": "k"}, SANDBOX, "litellm"),
        ({"model": "openrouter/openai/gpt-4o-mini"}, {"OPENROUTER_API_KEY": "k"}, SANDBOX, "direct"),
        ({"provider": "ollama", "model": "llama3"}, {}, SANDBOX, "direct"),
        ({"api_key_ref": "env:TEAM_API_KEY"}, {"TEAM_API_KEY": "k"}, SANDBOX, "direct"),
        ({}, {"OPENAI_API_KEY": "k"}, None, "direct"),
        ({"provider": "custom", "extra_params": {"base_url": "http://h"}}, {}, SANDBOX, "custom"),
    ],
)
def test_an_agent_goes_to_its_provider_or_without_a_key_to_the_sandbox(
    fields: dict[str, Any], env: dict[str, str], sandbox: str | None, expected: str
) -> None:
    config = ProviderConfig(sandbox_url=sandbox, env=env)
    assert route(make_ai(**fields), config) == expected
    assert provider_for(make_ai(**fields), config).name


@pytest.mark.parametrize(
    ("provider", "model"),
    [("groq", "llama-3.3-70b-versatile"), ("openai", "gpt-4"), ("openai", "gpt-3.5-turbo-16k")],
)
def test_a_model_that_takes_no_schema_is_asked_through_litellm_which_leaves_it_out(
    provider: str, model: str
) -> None:
    config = ProviderConfig(env={"OPENAI_API_KEY": "k", "GROQ_API_KEY": "k"})

    assert route(make_ai(provider=provider, model=model), config) == "litellm"


def test_everything_goes_through_litellm_where_that_is_wanted() -> None:
    config = ProviderConfig(env={"OPENAI_API_KEY": "k"}, direct=False)
    assert route(make_ai(), config) == "litellm"


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"model": "openai/gpt-4o"}, "gpt-4o"),
        ({"model": "openrouter/openai/gpt-4o-mini"}, "openai/gpt-4o-mini"),
        ({"provider": "groq", "model": "llama-3.3-70b"}, "llama-3.3-70b"),
    ],
)
def test_a_vendor_is_asked_by_its_own_name_of_the_model(fields: dict[str, Any], name: str) -> None:
    assert plain_name(make_ai(**fields)) == name


def test_every_route_has_a_factory() -> None:
    assert set(FACTORIES) == {"external", "sandbox", "custom", "direct", "litellm"}


def test_without_key_and_sandbox_the_variable_to_set_is_named() -> None:
    with pytest.raises(ProviderAuthFailed, match="set OPENAI_API_KEY"):
        provider_for(make_ai(), ProviderConfig())
    with pytest.raises(ProviderRejected, match="mongoclaw dev"):
        provider_for(make_ai(provider="sandbox"), ProviderConfig())


@pytest.mark.parametrize(
    ("provider", "model", "vendor", "name"),
    [
        ("openai", "gpt-4o-mini", "openai", "gpt-4o-mini"),
        ("openai", "openai/gpt-4o-mini", "openai", "openai/gpt-4o-mini"),
        ("openai", "claude-sonnet-4-5", "anthropic", "anthropic/claude-sonnet-4-5"),
        ("openai", "openrouter/openai/gpt-4o-mini", "openrouter", "openrouter/openai/gpt-4o-mini"),
        ("openrouter", "openai/gpt-4o-mini", "openrouter", "openrouter/openai/gpt-4o-mini"),
        ("google", "gemini-2.5-pro", "google", "gemini/gemini-2.5-pro"),
        ("google", "gemini/gemini-2.5-pro", "google", "gemini/gemini-2.5-pro"),
        ("google", "google/gemini-2.5-pro", "google", "gemini/gemini-2.5-pro"),
        ("together", "meta-llama/Llama-3-8b", "together", "together_ai/meta-llama/Llama-3-8b"),
        ("azure", "my-deployment", "azure", "azure/my-deployment"),
        ("bedrock", "anthropic.claude-v2", "bedrock", "bedrock/anthropic.claude-v2"),
        ("ollama", "llama3", "ollama", "ollama/llama3"),
        ("google", "vertex_ai/gemini-2.5-pro", "vertex_ai", "vertex_ai/gemini-2.5-pro"),
        ("deepinfra", "some/model", "deepinfra", "deepinfra/some/model"),
        ("groq", "openai/gpt-oss-120b", "groq", "groq/openai/gpt-oss-120b"),
    ],
)
def test_vendor_and_name_follow_from_provider_and_model(
    provider: str, model: str, vendor: str, name: str
) -> None:
    assert vendor_of(provider, model) == vendor
    assert model_name(provider, model) == name


def test_a_vendor_that_we_do_not_know_has_its_key_where_one_would_look() -> None:
    assert key_names("deepinfra") == ("DEEPINFRA_API_KEY",)
    assert has_key("ollama", {})


def test_a_key_file_of_the_vendors_own_library_is_not_sent_as_a_key() -> None:
    assert vendor_key("vertex_ai", {"GOOGLE_APPLICATION_CREDENTIALS": "/etc/key.json"}) is None
    assert vendor_key("bedrock", {"AWS_ACCESS_KEY_ID": "AKIA"}) is None
    assert vendor_key("openai", {"OPENAI_API_KEY": " k\n"}) == "k"


@pytest.mark.parametrize(
    "reference", ["TEAM_A_API_KEY", "env:TEAM_A_API_KEY", "${secret:TEAM_A_API_KEY}", "${env:TEAM_A_API_KEY}"]
)
def test_a_reference_names_a_variable(reference: str) -> None:
    assert referenced_key(reference, {"TEAM_A_API_KEY": "k"}) == "k"


@pytest.mark.parametrize(
    "reference",
    [
        "MONGOCLAW_SECURITY__API_KEY",
        "DJANGO_SECRET_KEY",
        "AWS_SECRET_ACCESS_KEY",
        "APP_SECRET_KEY",
        "PATH",
        "MONGODB_URI",
        "",
        "env:",
        "a b",
        "../x_API_KEY",
        "OPENAI_API_KEY",
    ],
)
def test_a_reference_cannot_reach_other_secrets_nor_another_vendors_key(reference: str) -> None:
    env = dict.fromkeys((reference, "DJANGO_SECRET_KEY", "OPENAI_API_KEY"), "leaked")
    with pytest.raises(ProviderAuthFailed) as caught:
        referenced_key(reference, env)
    assert "leaked" not in str(caught.value)


def test_a_vendors_own_key_may_be_named_for_that_vendor() -> None:
    assert referenced_key("OPENAI_API_KEY", {"OPENAI_API_KEY": "k"}, vendor="openai") == "k"
    assert all(vendor.keys for vendor in VENDORS.values())


def test_the_providers_are_imported_without_litellm_and_django() -> None:
    heavy = "{'litellm', 'django', 'httpx', 'openai'}"
    code = f"import sys, enrichment.providers; print(sorted({heavy}.intersection(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
