from __future__ import annotations

from typing import Any

import pytest

from agents_app.errors import SpecInvalid
from agents_app.spec import AgentSpec, parse_spec
from enrichment.publish_checks import check

BEFORE = {"full_document_before_change": "whenAvailable"}
SCHEMA = {
    "type": "object",
    "properties": {"label": {"type": "string"}},
    "required": ["label"],
    "additionalProperties": False,
}


def _spec(
    *, watch: dict[str, Any] | None = None, policy: dict[str, Any] | None = None, **ai: Any
) -> AgentSpec:
    return parse_spec(
        {
            "id": "tester",
            "name": "Tester",
            "watch": {"database": "shop", "collection": "things", **(watch or {})},
            "ai": {"prompt": "Label: {{ document.text }}", "response_schema": SCHEMA, **ai},
            "policy": policy,
        }
    ).spec


def test_a_good_agent_has_no_warnings() -> None:
    assert list(check(_spec())) == []


def test_an_unknown_provider_is_remarked_upon() -> None:
    assert list(check(_spec(provider="acme"))) == [
        "ai.provider: 'acme' is not a provider that we know; it is passed on as it is"
    ]


@pytest.mark.parametrize("provider", ["openai", "together", "ollama", "custom", "external", "sandbox"])
def test_a_known_provider_is_not(provider: str) -> None:
    extra = {"extra_params": {"external_url": "https://a.example/"}} if provider == "external" else {}
    assert list(check(_spec(provider=provider, model="m-1", **extra))) == []


def test_the_problems_of_all_parts_come_at_once() -> None:
    spec = _spec(
        prompt="{{ documnet }}",
        system_prompt="{% macro m() %}{% endmacro %}",
        response_schema={"type": "object", "properties": {"label": {"$ref": "https://x.test/"}}},
        policy={"condition": "document.a =! 1"},
    )

    with pytest.raises(SpecInvalid) as caught:
        check(spec)

    assert [error.path for error in caught.value.errors] == [
        "ai.prompt",
        "ai.system_prompt",
        "ai.response_schema.properties.label",
        "policy.condition",
    ]


@pytest.mark.parametrize(
    ("ai", "warning"),
    [
        ({"prompt": "Label: {{ document }}"}, "ai.prompt, line 1: prints the whole document"),
        ({"prompt": "Label:\n{{ doc | json }}"}, "ai.prompt, line 2: prints the whole document"),
        ({"prompt": "{{ document.text }} {{ now }}"}, "ai.prompt: uses now"),
        ({"prompt": "{{ document.text }} {{ event.wall_time }}"}, "ai.prompt: uses event"),
        ({"system_prompt": "About {{ document.text }}"}, "ai.system_prompt: it prints the document"),
        (
            {"response_schema": {"type": "object", "properties": {"label": {}}}},
            "ai.response_schema: the provider cannot be held to it",
        ),
    ],
)
def test_what_is_unwise_is_warned_about(ai: dict[str, Any], warning: str) -> None:
    assert any(text.startswith(warning) for text in check(_spec(**ai)))


@pytest.mark.parametrize(
    "prompt",
    ["<document>{{ document }}</document>", "```json\n{{ document | json }}\n```", "Text: {{ document.a }}"],
)
def test_a_document_within_a_delimiter_is_not_warned_about(prompt: str) -> None:
    assert list(check(_spec(prompt=prompt))) == []


def test_watching_deletes_without_the_document_is_warned_about() -> None:
    watch = {"operations": ["insert", "delete"]}

    assert [text for text in check(_spec(watch=watch)) if "a delete carries no document" in text]
    assert list(check(_spec(watch={"operations": ["delete"], **BEFORE}))) == []


def test_a_prompt_that_uses_before_without_asking_for_it_is_warned_about() -> None:
    prompt = "{% if before %}Was: {{ before.text }}{% endif %} Is: {{ document.text }}"

    assert [text for text in check(_spec(prompt=prompt)) if "uses before, which is always null" in text]
    assert list(check(_spec(prompt=prompt, watch=BEFORE))) == []


def test_asking_for_what_no_prompt_uses_is_warned_about() -> None:
    assert [text for text in check(_spec(watch=BEFORE)) if "no prompt uses before" in text]
