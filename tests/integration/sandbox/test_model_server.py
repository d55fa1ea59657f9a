"""The sandbox model speaks the protocol, plays its faults, and counts what really happened."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import urllib3
from jsonschema import Draft202012Validator
from urllib3.exceptions import ProtocolError, ReadTimeoutError

from sandbox.model import MODEL_NAME
from sandbox.model.client import ModelControl
from sandbox.model.completion import prompt_hash
from sandbox.model.faults import FaultKind
from sandbox.waiting import wait_until

SCHEMA = {
    "type": "object",
    "properties": {
        "mood": {"enum": ["good", "bad"]},
        "share": {"type": "number", "minimum": 0, "maximum": 1},
    },
    "required": ["mood", "share"],
    "additionalProperties": False,
}


@pytest.fixture
def http() -> Iterator[urllib3.PoolManager]:
    with urllib3.PoolManager(maxsize=64, retries=False, timeout=10) as pool:
        yield pool


def _ask(
    http: urllib3.PoolManager,
    model: ModelControl,
    prompt: str = "How is it?",
    *,
    schema: Any = SCHEMA,
    **options: Any,
) -> urllib3.BaseHTTPResponse:
    body: dict[str, Any] = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": prompt}]}
    if schema is not None:
        body["response_format"] = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
    return http.request("POST", f"{model.url}/chat/completions", json=body, **options)


def _content(reply: urllib3.BaseHTTPResponse) -> Any:
    return reply.json()["choices"][0]["message"]["content"]


def test_it_says_that_it_is_no_language_model(http: urllib3.PoolManager, sandbox_model: ModelControl) -> None:
    about = http.request("GET", sandbox_model.url.removesuffix("/v1") + "/").json()
    assert about["is_language_model"] is False
    assert "no-language-model" in _ask(http, sandbox_model).json()["model"]


def test_an_answer_fits_the_schema_and_carries_usage(
    http: urllib3.PoolManager, sandbox_model: ModelControl
) -> None:
    reply = _ask(http, sandbox_model)
    Draft202012Validator(SCHEMA).validate(json.loads(_content(reply)))
    assert reply.json()["choices"][0]["finish_reason"] == "stop"
    usage = reply.json()["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"] > 0


def test_the_same_prompt_gets_the_same_answer_and_another_does_not(
    http: urllib3.PoolManager, sandbox_model: ModelControl
) -> None:
    contents = [
        _content(_ask(http, sandbox_model, prompt, schema=None)) for prompt in ("a b c", "a b c", "d e f")
    ]
    assert contents[0] == contents[1] != contents[2]


def test_without_a_schema_the_answer_is_text(http: urllib3.PoolManager, sandbox_model: ModelControl) -> None:
    assert "no language model" in _content(_ask(http, sandbox_model, schema=None))


def test_calls_are_counted_per_prompt(http: urllib3.PoolManager, sandbox_model: ModelControl) -> None:
    for prompt in ("one", "two", "two"):
        _ask(http, sandbox_model, prompt)
    calls = sandbox_model.calls()
    key = prompt_hash([{"role": "user", "content": "two"}])
    assert (calls["total"], calls["prompts"], calls["per_prompt"][key]) == (3, 2, 2)
    assert calls["outcomes"] == {"answered": 3}


def test_calls_in_flight_are_counted_together(http: urllib3.PoolManager, sandbox_model: ModelControl) -> None:
    sandbox_model.set_latency(300)
    with ThreadPoolExecutor(40) as pool:
        replies = list(pool.map(lambda number: _ask(http, sandbox_model, f"p{number}").status, range(40)))
    assert replies == [200] * 40
    assert sandbox_model.calls()["max_in_flight"] >= 20
    assert sandbox_model.calls()["in_flight"] == 0


def test_a_client_that_leaves_is_recorded_as_abandoned(
    http: urllib3.PoolManager, sandbox_model: ModelControl
) -> None:
    sandbox_model.script(FaultKind.HANG, times=1)
    with pytest.raises(ReadTimeoutError):
        _ask(http, sandbox_model, timeout=0.2)
    assert wait_until(lambda: sandbox_model.calls()["outcomes"] == {"abandoned": 1}, seconds=5)
    assert sandbox_model.calls()["in_flight"] == 0


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        (FaultKind.RATE_LIMIT, 429, "rate_limit_exceeded"),
        (FaultKind.INSUFFICIENT_QUOTA, 429, "insufficient_quota"),
        (FaultKind.UNAUTHORIZED, 401, "invalid_api_key"),
        (FaultKind.BAD_REQUEST, 400, "invalid_value"),
        (FaultKind.CONTEXT_TOO_LONG, 400, "context_length_exceeded"),
        (FaultKind.CONTENT_POLICY, 400, "content_policy_violation"),
        (FaultKind.UNKNOWN_MODEL, 404, "model_not_found"),
        (FaultKind.ERROR_500, 500, "server_error"),
        (FaultKind.UNAVAILABLE, 503, "service_unavailable"),
        (FaultKind.OVERLOADED, 529, "overloaded"),
    ],
)
def test_an_error_has_its_status_and_code_once(
    http: urllib3.PoolManager, sandbox_model: ModelControl, kind: FaultKind, status: int, code: str
) -> None:
    sandbox_model.script(kind, times=1)
    reply = _ask(http, sandbox_model)
    assert (reply.status, reply.json()["error"]["code"]) == (status, code)
    assert _ask(http, sandbox_model).status == 200


def test_retry_after_is_sent(http: urllib3.PoolManager, sandbox_model: ModelControl) -> None:
    sandbox_model.script(FaultKind.RATE_LIMIT, retry_after=7)
    assert _ask(http, sandbox_model).headers["retry-after"] == "7"


def _bad_answers() -> dict[FaultKind, Any]:
    return {
        FaultKind.REFUSAL: lambda body: body["choices"][0]["message"]["refusal"] and not _text(body),
        FaultKind.NO_CHOICES: lambda body: body["choices"] == [],
        FaultKind.EMPTY: lambda body: _text(body) == "",
        FaultKind.TRUNCATED: lambda body: (
            body["choices"][0]["finish_reason"] == "length" and not _is_json(body)
        ),
        FaultKind.BAD_JSON: lambda body: body["choices"][0]["finish_reason"] == "stop" and not _is_json(body),
        FaultKind.BAD_SCHEMA: lambda body: not Draft202012Validator(SCHEMA).is_valid(json.loads(_text(body))),
        FaultKind.NO_USAGE: lambda body: "usage" not in body and _is_json(body),
    }


@pytest.mark.parametrize("kind", _bad_answers())
def test_a_bad_answer_is_bad_in_its_own_way(
    http: urllib3.PoolManager, sandbox_model: ModelControl, kind: FaultKind
) -> None:
    sandbox_model.script(kind, times=1)
    assert _bad_answers()[kind](_ask(http, sandbox_model).json())


def test_a_given_answer_is_given(http: urllib3.PoolManager, sandbox_model: ModelControl) -> None:
    sandbox_model.script(FaultKind.CONTENT, content='{"$set": 1}')
    assert _content(_ask(http, sandbox_model)) == '{"$set": 1}'


def test_a_web_page_and_a_cut_body_are_no_answers(
    http: urllib3.PoolManager, sandbox_model: ModelControl
) -> None:
    sandbox_model.script(FaultKind.HTML, times=1)
    sandbox_model.script(FaultKind.BAD_BODY, times=1)
    assert _ask(http, sandbox_model).data.startswith(b"<!doctype html>")
    with pytest.raises(ValueError, match=r"."):
        _ask(http, sandbox_model).json()


def test_a_reset_breaks_the_connection(http: urllib3.PoolManager, sandbox_model: ModelControl) -> None:
    sandbox_model.script(FaultKind.RESET, times=1)
    with pytest.raises(ProtocolError):
        _ask(http, sandbox_model)
    assert _ask(http, sandbox_model).status == 200


def test_a_slow_answer_outlasts_a_short_read_timeout_per_byte(
    http: urllib3.PoolManager, sandbox_model: ModelControl
) -> None:
    sandbox_model.script(FaultKind.SLOW_DRIP, times=1, drip_seconds=1.0)
    reply = _ask(http, sandbox_model, timeout=0.5)
    assert _is_json(reply.json())


def test_a_fault_for_one_prompt_spares_the_others(
    http: urllib3.PoolManager, sandbox_model: ModelControl
) -> None:
    sandbox_model.script(FaultKind.ERROR_500, contains="order 7")
    assert [_ask(http, sandbox_model, f"order {number}").status for number in (6, 7, 8)] == [200, 500, 200]


def test_external_agents_are_answered_too(http: urllib3.PoolManager, sandbox_model: ModelControl) -> None:
    address = sandbox_model.url.removesuffix("/v1") + "/external"
    body = {"agent_id": "a", "prompt": "hello", "system_prompt": None, "response_format": "json_object"}
    reply = http.request("POST", address, json=body).json()
    assert json.loads(reply["content"])["answer"]
    assert reply["model"] == MODEL_NAME


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"messages": "hi"}', b"\xff\xfe"])
def test_what_is_no_request_is_refused(
    http: urllib3.PoolManager, sandbox_model: ModelControl, body: bytes
) -> None:
    reply = http.request("POST", f"{sandbox_model.url}/chat/completions", body=body)
    assert reply.status == 400
    assert reply.json()["error"]["message"]
    assert sandbox_model.calls()["total"] == 0


def test_a_wrong_rule_is_refused_with_the_known_kinds(sandbox_model: ModelControl) -> None:
    with pytest.raises(OSError, match="400"):
        sandbox_model.script("fire")


def test_a_connection_is_kept_for_the_next_call(
    http: urllib3.PoolManager, sandbox_model: ModelControl
) -> None:
    for number in range(5):
        _ask(http, sandbox_model, str(number))
    pool = http.connection_from_url(sandbox_model.url)
    assert pool.num_connections == 1
    assert pool.num_requests == 5


def _text(body: Any) -> Any:
    return body["choices"][0]["message"]["content"]


def _is_json(body: Any) -> bool:
    try:
        json.loads(_text(body))
    except ValueError:
        return False
    return True
