from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from agents_app.errors import Decision
from enrichment import errors
from enrichment.providers.base import ModelReply, ModelRequest
from enrichment.providers.external import External, read_target
from tests.integration.enrichment.providers.conftest import Serve
from tests.integration.enrichment.providers.raw_server import RawServer, http

REQUEST = ModelRequest(
    model="my-agent",
    user="Classify: the printer is on fire",
    system="Be brief",
    temperature=0.0,
    max_tokens=17,
    timeout=5,
    metadata={"execution_id": "run-1"},
)
Ask = Callable[..., ModelReply]


def ask(
    server: RawServer, *, request: ModelRequest = REQUEST, env: Mapping[str, str] | None = None, **extra: Any
) -> ModelReply:
    target = read_target({"external_url": server.url + "/run?v=2", **extra}, api_key_ref=None, env=env or {})
    return External(target).complete(request)


def test_the_request_has_the_contracts_shape(serve: Serve) -> None:
    server = serve(http({"content": "ok"}))
    ask(server, external_agent_id="bot-7", external_auth_token="token-12345", team="blue")
    ((headers, body),) = server.requests
    assert headers[""] == "POST /run?v=2 HTTP/1.1"
    assert headers["authorization"] == "Bearer token-12345"
    assert headers["content-type"] == "application/json"
    assert body == {
        "agent_id": "bot-7",
        "model": "my-agent",
        "prompt": "Classify: the printer is on fire",
        "system_prompt": "Be brief",
        "temperature": 0.0,
        "max_tokens": 17,
        "response_format": None,
        "metadata": {"execution_id": "run-1", "team": "blue"},
    }


def test_a_schema_asks_for_a_json_object_and_the_model_names_the_agent(
    serve: Serve,
) -> None:
    server = serve(http({"content": "{}"}))
    ask(server, request=ModelRequest(model="bot", user="x", json_schema={"type": "object"}))
    assert server.requests[0][1]["response_format"] == "json_object"
    assert server.requests[0][1]["agent_id"] == "bot"


def test_another_header_carries_the_bare_token_and_the_token_may_be_in_the_environment(
    serve: Serve,
) -> None:
    server = serve(http({"content": "ok"}))
    ask(
        server,
        external_auth_header="X-Api-Key",
        external_auth_token="${secret:TEAM_A_API_KEY}",
        external_headers={"X-Tenant": "a"},
        env={"TEAM_A_API_KEY": "from-the-environment"},
    )
    headers = server.requests[0][0]
    assert headers["x-api-key"] == "from-the-environment"
    assert headers["x-tenant"] == "a"
    assert "authorization" not in headers


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"content": "a", "output": "b"}, "a"),
        ({"content": None, "output": "b"}, "b"),
        ({"choices": [{"message": {"content": "c"}}]}, "c"),
        ({"choices": [{"text": "d"}]}, "d"),
        ({"content": ""}, ""),
    ],
)
def test_the_text_is_found_in_each_of_its_places(body: dict[str, Any], text: str, serve: Serve) -> None:
    assert ask(serve(http(body))).text == text


def test_a_bare_object_is_the_answer_itself(serve: Serve) -> None:
    assert json.loads(ask(serve(http({"category": "bug"}))).text) == {"category": "bug"}


def test_usage_model_price_and_finish_are_taken_over(serve: Serve) -> None:
    usage = {"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8, "cost_usd": 0.0000135}
    reply = ask(serve(http({"content": "x", "usage": usage, "model": "inner", "finish_reason": "STOP"})))
    assert (reply.prompt_tokens, reply.completion_tokens, reply.total_tokens) == (5, 3, 8)
    assert (reply.cost_nanousd, reply.model, reply.provider, reply.finish_reason) == (
        13_500,
        "inner",
        "external",
        "stop",
    )


@pytest.mark.parametrize("cost", [None, "1", -1, True, float("nan"), 1e300])
def test_a_price_that_is_none_is_unknown(cost: Any, serve: Serve) -> None:
    reply = ask(serve(http({"content": "x", "usage": {"cost_usd": cost}})))
    assert reply.cost_nanousd is None
    assert reply.usage_estimated


def test_an_empty_list_of_choices_is_no_answer(serve: Serve) -> None:
    with pytest.raises(errors.AnswerMissing):
        ask(serve(http({"choices": []})))


def test_a_cut_answer_keeps_its_reply(serve: Serve) -> None:
    with pytest.raises(errors.AnswerTruncated) as caught:
        ask(serve(http({"content": '{"a', "finish_reason": "length"})))
    assert caught.value.reply is not None


@pytest.mark.parametrize("body", [b"[1]", b"5", b'"text"', b"null", b"<html>", b""])
def test_a_body_that_is_no_object_may_be_tried_again(body: bytes, serve: Serve) -> None:
    with pytest.raises(errors.ProviderBadResponse):
        ask(serve(http(body)))


@pytest.mark.parametrize(
    ("status", "decision"),
    [
        ("500 X", Decision.RETRY),
        ("503 X", Decision.DEFER),
        ("404 X", Decision.PERMANENT),
        ("429 X", Decision.DEFER),
    ],
)
def test_an_error_names_the_status_and_no_secret(status: str, decision: Decision, serve: Serve) -> None:
    server = serve(
        http({"error": {"message": "bad token token-12345 of tenant secret-tenant"}}, status=status)
    )
    with pytest.raises(errors.ProviderError, match=f"External agent returned HTTP {status[:3]}") as caught:
        ask(server, external_auth_token="token-12345", external_headers={"X-Tenant": "secret-tenant"})
    assert caught.value.decision is decision
    assert "12345" not in str(caught.value)
    assert "secret-tenant" not in str(caught.value)


def test_its_own_timeout_holds(serve: Serve) -> None:
    server = RawServer(lambda _: None)
    with pytest.raises(errors.ProviderTimeout):
        ask(server, external_timeout_seconds=0.2)
    server.close()


@pytest.mark.parametrize(
    "extra",
    [
        {"external_url": None},
        {"external_url": "ftp://x"},
        {"external_headers": ["x"]},
        {"external_headers": {"X": 5}},
        {"external_headers": {"X": "a\r\nY: b"}},
        {"external_headers": {"Host": "elsewhere"}},
        {"external_auth_token": 5},
        {"external_timeout_seconds": 0},
        {"external_timeout_seconds": "5"},
        {"external_timeout_seconds": True},
    ],
)
def test_a_setting_that_cannot_be_used_is_a_wrong_configuration(extra: dict[str, Any]) -> None:
    with pytest.raises(errors.ProviderRejected) as caught:
        External(read_target({"external_url": "http://h", **extra}, api_key_ref=None, env={}))
    assert caught.value.decision is Decision.PERMANENT
