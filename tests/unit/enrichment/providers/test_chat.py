from __future__ import annotations

import contextlib
import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enrichment import errors
from enrichment.providers import chat, params, prices
from enrichment.providers.base import ModelReply, ModelRequest
from enrichment.providers.prices import Price, cost_of, price_of

REQUEST = ModelRequest(model="m", user="abcdef", system="xyz")


def read(body: dict[str, Any]) -> ModelReply:
    return chat.read_reply(
        body, REQUEST, provider="p", latency_ms=1.0, cost=lambda prompt, completion: prompt + completion
    )


def answer(content: Any, **more: Any) -> dict[str, Any]:
    finish = more.pop("finish_reason", "stop")
    return {"choices": [{"message": {"content": content, **more}, "finish_reason": finish}]}


def test_the_providers_own_counts_are_taken() -> None:
    usage = {"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 11}
    reply = read({**answer("hi"), "usage": usage})
    assert (reply.prompt_tokens, reply.completion_tokens, reply.total_tokens) == (5, 3, 11)
    assert not reply.usage_estimated
    assert reply.cost_nanousd == 8


@pytest.mark.parametrize(
    "usage",
    [
        None,
        {},
        {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},
        {"prompt_tokens": "5", "completion_tokens": True},
        {"prompt_tokens": -1, "completion_tokens": None},
        [],
        "x",
    ],
)
def test_missing_usage_is_estimated_and_marked_and_never_free(usage: Any) -> None:
    reply = read({**answer("1234"), "usage": usage})
    assert reply.usage_estimated
    assert (reply.prompt_tokens, reply.completion_tokens, reply.total_tokens) == (3, 2, 5)
    assert reply.cost_nanousd == 5


def test_an_answer_in_parts_is_joined() -> None:
    assert (
        read(answer([{"type": "text", "text": "a"}, {"type": "image"}, {"type": "text", "text": "b"}])).text
        == "ab"
    )


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"choices": []}, errors.AnswerMissing),
        ({}, errors.AnswerMissing),
        ({"choices": None}, errors.AnswerMissing),
        (answer(None), errors.AnswerMissing),
        ({"choices": [{}]}, errors.AnswerMissing),
        (answer(None, refusal="I cannot"), errors.AnswerRefused),
        (answer(None, provider_specific_fields={"refusal": "I cannot"}), errors.AnswerRefused),
        (answer("", finish_reason="content_filter"), errors.AnswerRefused),
        (answer('{"a":', finish_reason="length"), errors.AnswerTruncated),
        (answer(None, finish_reason="length"), errors.AnswerTruncated),
    ],
)
def test_an_answer_that_cannot_be_used_keeps_its_price(
    body: dict[str, Any], expected: type[errors.ProviderError]
) -> None:
    with pytest.raises(expected) as caught:
        read(body)
    assert caught.value.reply is not None
    assert caught.value.reply.prompt_tokens > 0
    assert caught.value.reply.cost_nanousd


@pytest.mark.parametrize("choices", ["x", 5, {"a": 1}, [5], [None]])
def test_choices_of_another_shape_are_a_bad_response(choices: Any) -> None:
    with pytest.raises(errors.ProviderBadResponse):
        read({"choices": choices})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["choices", "message", "content", "usage", "prompt_tokens", "refusal"]), inner
        )
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["choices", "usage", "x"]), JSON))
def test_a_body_of_any_shape_is_an_answer_or_an_error_of_ours(body: dict[str, Any]) -> None:
    with contextlib.suppress(errors.ProviderError):
        assert isinstance(read(body).text, str)


def test_a_schema_is_strict_only_if_every_object_is_closed_and_complete() -> None:
    closed = {"type": "object", "properties": {"a": {}}, "required": ["a"], "additionalProperties": False}
    assert chat.is_strict(closed)
    assert not chat.is_strict({**closed, "required": []})
    assert not chat.is_strict({**closed, "properties": {"a": {"type": "object"}}})
    assert not chat.is_strict({"anyOf": [closed, {"type": "object"}]})


def test_the_constraint_is_the_schema_or_any_object_or_none() -> None:
    def constraint(**more: Any) -> Any:
        return chat.response_format(ModelRequest(model="m", user="x", **more))

    assert constraint() is None
    assert constraint(json_mode=True) == {"type": "json_object"}
    assert constraint(json_schema={"type": "object"})["json_schema"]["schema"] == {"type": "object"}


def test_unknown_parameters_are_refused_by_name_with_a_remedy() -> None:
    with pytest.raises(errors.ProviderRejected, match=r"ai\.extra_params\.temperature .*set ai\.temperature"):
        params.sendable({"temperature": 1}, provider="openai")
    with pytest.raises(errors.ProviderRejected, match=r"ai\.extra_params\.api_base"):
        params.sendable({"api_base": "http://elsewhere"}, provider="openai")
    assert params.sendable({"top_p": 0.5, "seed": 7}, provider="openai") == {"top_p": 0.5, "seed": 7}
    assert params.problems({"anything": 1}, provider="external") == ()


def test_known_models_have_their_price_in_whole_nano_dollars() -> None:
    assert cost_of("gpt-4o-mini", 100, 10) == 100 * 150 + 10 * 600
    assert cost_of("openai/gpt-4o-mini", 100, 10, vendor="openai") == 100 * 150 + 10 * 600
    assert cost_of("ollama/llama2", 100, 10) == 0


def test_an_unknown_model_has_no_price_and_is_not_free() -> None:
    assert price_of("gpt-99") is None
    assert cost_of("nobody/gpt-4o-mini", 100, 10) is None
    assert cost_of("", 100, 10) is None


def test_a_long_prompt_is_charged_at_its_tier_and_cents_are_rounded_up() -> None:
    price = Price("v", 1e-6, 2e-6, ((200_000, 2e-6, 3e-6),))
    assert price.cost(200_000, 10) == 200_000_000 + 20_000
    assert price.cost(200_001, 10) == 400_002_000 + 30_000
    assert Price("v", 3.75e-08, 0).cost(1, 0) == 38


def test_an_image_without_litellm_knows_the_prices_from_its_table(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    assert prices._table.__wrapped__() == {}
    folder = tmp_path / "share/mongoclaw"
    folder.mkdir(parents=True)
    entry = {"gpt-99": {"input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6}}
    (folder / "model_prices_and_context_window_backup.json").write_text(json.dumps(entry), encoding="utf-8")
    assert prices._table.__wrapped__() == {"gpt-99": Price("", 1e-6, 2e-6)}


def test_prices_are_read_without_importing_litellm() -> None:
    code = "import sys; from enrichment.providers.prices import cost_of; assert cost_of('gpt-4o', 1, 1);"
    subprocess.run([sys.executable, "-c", code + "assert 'litellm' not in sys.modules"], check=True)
