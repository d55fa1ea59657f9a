from __future__ import annotations

import socket
import threading
import time
import traceback
from dataclasses import replace
from typing import Any

import pytest

from agents_app.errors import Decision
from agents_app.spec import AISpec
from enrichment import errors
from enrichment.providers import ProviderConfig, provider_for
from enrichment.providers.base import ModelRequest
from enrichment.providers.http import MAX_BODY
from enrichment.providers.openai_compatible import OpenAICompatible
from enrichment.providers.prices import cost_of
from sandbox.model.client import ModelControl
from tests.conditions import eventually
from tests.integration.enrichment.providers.conftest import FAULTS, Serve
from tests.integration.enrichment.providers.raw_server import RawServer, chat, dripping, http

KEY = "sk-test-0123456789abcdef"
REQUEST = ModelRequest(
    model="sandbox", user="Classify: the printer is on fire", system="Be brief", timeout=10
)


def provider(url: str, **options: Any) -> OpenAICompatible:
    return OpenAICompatible(url, **{"name": "custom", "api_key": KEY, **options})


@pytest.mark.parametrize(("fault", "expected", "decision"), FAULTS)
def test_each_fault_of_a_provider_is_its_own_error_after_one_request(
    fault: str, expected: type[errors.ProviderError], decision: Decision, sandbox_model: ModelControl
) -> None:
    sandbox_model.script(fault)
    with pytest.raises(expected) as caught:
        provider(sandbox_model.url, name="sandbox").complete(replace(REQUEST, timeout=1.0))
    assert type(caught.value) is expected
    assert caught.value.decision is decision
    assert sandbox_model.calls()["total"] == 1


def test_a_sound_answer_comes_with_tokens_price_and_time(sandbox_model: ModelControl) -> None:
    schema = {
        "type": "object",
        "properties": {"category": {"type": "string", "enum": ["bug", "idea"]}},
        "required": ["category"],
        "additionalProperties": False,
    }
    reply = provider(sandbox_model.url, name="sandbox").complete(replace(REQUEST, json_schema=schema))
    assert reply.text in ('{"category": "bug"}', '{"category": "idea"}')
    assert reply.prompt_tokens > 0
    assert reply.total_tokens >= reply.prompt_tokens + reply.completion_tokens
    assert reply.cost_nanousd == 0  # the sandbox is free
    assert reply.latency_ms > 0
    assert not reply.usage_estimated


def test_usage_that_is_missing_is_estimated(sandbox_model: ModelControl) -> None:
    sandbox_model.script("no_usage")
    reply = provider(sandbox_model.url).complete(REQUEST)
    assert reply.usage_estimated
    assert reply.prompt_tokens > 0
    assert reply.cost_nanousd is None  # no price is known for this model


def test_retry_after_of_the_provider_is_on_the_error(sandbox_model: ModelControl) -> None:
    sandbox_model.script("rate_limit", retry_after=7)
    with pytest.raises(errors.RateLimited) as caught:
        provider(sandbox_model.url).complete(REQUEST)
    assert caught.value.retry_after == 7
    assert caught.value.status == 429


def test_what_is_sent_is_what_was_asked_for(serve: Serve) -> None:
    server = serve(http(chat()))
    request = replace(REQUEST, temperature=0.0, max_tokens=17, extra_params={"seed": 7}, json_mode=True)
    provider(server.url).complete(request)
    ((headers, body),) = server.requests
    assert headers[""] == "POST /v1/chat/completions HTTP/1.1"
    assert headers["authorization"] == f"Bearer {KEY}"
    assert body == {
        "model": "sandbox",
        "messages": [
            {"role": "system", "content": "Be brief"},
            {"role": "user", "content": "Classify: the printer is on fire"},
        ],
        "temperature": 0.0,
        "max_tokens": 17,
        "response_format": {"type": "json_object"},
        "seed": 7,
    }


def test_any_text_arrives_as_it_is(serve: Serve) -> None:
    server = serve(http(chat('{"ä": "\\ud83d\\ude00"}')))
    text = "ä 😀 \ud800 \0 \u2028"
    assert provider(server.url).complete(replace(REQUEST, user=text)).text == '{"ä": "\\ud83d\\ude00"}'
    assert server.requests[0][1]["messages"][1]["content"] == text


@pytest.mark.parametrize("part", ["headers", "body"])
def test_an_answer_that_drips_in_does_not_outlast_the_call(part: str, serve: Serve) -> None:
    whole = http(chat())
    start = whole.index(b"\r\n\r\n") + 4
    holder: list[RawServer] = []
    drip = dripping(whole if part == "headers" else whole[start:], lambda: holder[0])

    def reply(connection: socket.socket) -> None:
        if part == "body":
            connection.sendall(whole[:start])
        drip(connection)

    holder.append(serve(reply))
    started = time.monotonic()
    with pytest.raises(errors.ProviderTimeout):
        provider(holder[0].url).complete(replace(REQUEST, timeout=0.5))
    assert time.monotonic() - started < 2  # the whole answer takes 15 s and more


def test_the_providers_own_limit_holds_when_the_run_has_more_time(sandbox_model: ModelControl) -> None:
    sandbox_model.script("hang")
    with pytest.raises(errors.ProviderTimeout):
        provider(sandbox_model.url, request_timeout=0.3).complete(replace(REQUEST, timeout=60))


def test_without_time_left_nothing_is_sent(sandbox_model: ModelControl) -> None:
    with pytest.raises(errors.ProviderTimeout):
        provider(sandbox_model.url).complete(replace(REQUEST, timeout=0))
    assert sandbox_model.calls()["total"] == 0


def test_a_short_call_leaves_no_short_limit_on_the_connection(serve: Serve) -> None:
    def slowly(connection: socket.socket) -> None:
        if len(server.requests) > 1:
            server.over.wait(0.6)
        connection.sendall(http(chat()))

    server = serve(slowly)
    asked = provider(server.url)
    asked.complete(replace(REQUEST, timeout=0.3))
    asked.complete(replace(REQUEST, timeout=10))
    assert server.connections == 1


def test_a_redirect_is_not_followed(serve: Serve) -> None:
    elsewhere = serve(http(chat()))
    server = serve(http(b"", status="307 Temporary Redirect", headers=f"Location: {elsewhere.url}/v1\r\n"))
    with pytest.raises(errors.ProviderRejected, match="redirect"):
        provider(server.url).complete(REQUEST)
    assert elsewhere.requests == []


@pytest.mark.parametrize("announced", [True, False])
def test_an_answer_without_end_is_cut_off(announced: bool, serve: Serve) -> None:
    head = (
        f"HTTP/1.1 200 OK\r\nContent-Length: {MAX_BODY * 100}\r\n\r\n"
        if announced
        else "HTTP/1.1 200 OK\r\n\r\n"
    )

    def endless(connection: socket.socket) -> None:
        connection.sendall(head.encode())
        while not server.over.is_set():
            connection.sendall(b"x" * 65536)

    server = serve(endless)
    with pytest.raises(errors.ProviderBadResponse, match="more than 8 MiB"):
        provider(server.url).complete(REQUEST)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Encoding: gzip\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 500 + b"\r\n",
        http(b"[]"),
        http(b"null"),
        http(b"[" * 100_000),
    ],
    ids=["nothing", "no http", "cut", "bad chunk", "no gzip", "headers", "list", "null", "deep"],
)
def test_a_broken_answer_may_be_tried_again(answer: bytes, serve: Serve) -> None:
    def reply(connection: socket.socket) -> None:
        connection.sendall(answer)
        connection.shutdown(socket.SHUT_RDWR)

    with pytest.raises(errors.ProviderError5xx) as caught:
        provider(serve(reply).url).complete(REQUEST)
    assert caught.value.decision is Decision.RETRY


@pytest.mark.parametrize(
    ("code", "expected"),
    [(429, errors.RateLimited), (None, errors.ProviderError5xx), (502, errors.ProviderUnavailable)],
)
def test_an_error_inside_a_success_is_an_error(
    code: int | None, expected: type[Exception], serve: Serve
) -> None:
    server = serve(http({"error": {"message": "no", "code": code}}))
    with pytest.raises(expected):
        provider(server.url).complete(REQUEST)


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "http://no-such-host.invalid", "https://127.0.0.1:1"])
def test_a_provider_that_cannot_be_reached_burns_no_attempt(url: str) -> None:
    with pytest.raises(errors.ProviderUnavailable) as caught:
        provider(url).complete(REQUEST)
    assert caught.value.decision is Decision.DEFER


def test_tls_to_a_server_without_it_is_unavailable(serve: Serve) -> None:
    server = serve(http(chat()))
    with pytest.raises(errors.ProviderUnavailable):
        provider(server.url.replace("http:", "https:")).complete(replace(REQUEST, timeout=0.5))


@pytest.mark.parametrize(
    "url", ["ftp://host/", "host:80", "", "http://", "http://user:pw@host/", "http://[::1"]
)
def test_an_address_that_is_none_is_a_wrong_configuration(url: str) -> None:
    with pytest.raises(errors.ProviderRejected) as caught:
        provider(url)
    assert "pw" not in str(caught.value)


def test_a_key_that_cannot_be_a_header_is_named_and_not_shown() -> None:
    broken = f"{KEY}\nX-Evil: 1"
    with pytest.raises(errors.ProviderRejected, match="Authorization") as caught:
        provider("http://127.0.0.1:1", api_key=broken)
    assert KEY not in "".join(traceback.format_exception(caught.value))


def test_neither_key_nor_document_is_in_an_error_or_its_traceback(serve: Serve) -> None:
    words = f"Incorrect key {KEY} for prompt: {REQUEST.user} ({REQUEST.system})"
    server = serve(http({"error": {"message": words}}, status="401 Unauthorized"))
    with pytest.raises(errors.ProviderAuthFailed) as caught:
        provider(server.url).complete(REQUEST)
    text = "".join(traceback.format_exception(caught.value))
    assert "Incorrect key" in text
    assert KEY not in text
    assert "printer" not in text


def test_connections_are_kept_and_shared_by_providers_and_threads(serve: Serve) -> None:
    server = serve(http(chat()))
    barrier = threading.Barrier(32)
    failures: list[Exception] = []

    def work() -> None:
        barrier.wait()
        try:
            for _ in range(20):
                provider(server.url, pool_size=32).complete(REQUEST)
        except Exception as error:  # noqa: BLE001 - a thread's failure is the test's
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(server.requests) == 640
    assert server.connections <= 32


def wait_for_answers(server: RawServer, count: int) -> None:
    eventually(lambda: server.answered == count)


def test_a_connection_that_the_server_closed_meanwhile_is_replaced(serve: Serve) -> None:
    def once(connection: socket.socket) -> None:
        connection.sendall(http(chat()))
        connection.shutdown(socket.SHUT_RDWR)

    server = serve(once)
    for number in range(1, 4):
        provider(server.url).complete(REQUEST)
        wait_for_answers(server, number)
    assert server.connections == 3


def test_a_vendor_that_is_called_directly_is_on_record_with_its_name_and_its_price(
    sandbox_model: ModelControl,
) -> None:
    env = {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": sandbox_model.url}
    ai = AISpec(provider="openai", model="openai/gpt-4o-mini", prompt="x")

    reply = provider_for(ai, ProviderConfig(env=env)).complete(replace(REQUEST, model=ai.model))

    assert reply.provider == "openai"
    assert reply.cost_nanousd == cost_of("gpt-4o-mini", reply.prompt_tokens, reply.completion_tokens)
    assert reply.cost_nanousd
