from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
import traceback
from dataclasses import replace
from typing import Any

import pytest

from agents_app.errors import Decision
from enrichment import errors
from enrichment.providers.base import ModelRequest
from enrichment.providers.litellm_adapter import LiteLLM
from sandbox.model.client import ModelControl
from tests.integration.enrichment.providers.conftest import FAULTS, Serve
from tests.integration.enrichment.providers.raw_server import RawServer, chat, dripping, http

KEY = "sk-test-0123456789abcdef"
REQUEST = ModelRequest(model="gpt-4o-mini", user="Classify: the printer is on fire", timeout=10)


def openai(url: str, **options: Any) -> LiteLLM:
    base = url if url.endswith("/v1") else f"{url}/v1"
    given = {"vendor": "openai", "model": "gpt-4o-mini", "api_key": KEY, "env": {"OPENAI_API_BASE": base}}
    return LiteLLM(**{**given, **options})


def claude() -> LiteLLM:
    return LiteLLM(vendor="anthropic", model="anthropic/claude-sonnet-4-5", api_key=KEY, env={})


@pytest.mark.parametrize(("fault", "expected", "decision"), FAULTS)
def test_each_fault_is_the_same_error_as_without_litellm_after_one_request(
    fault: str, expected: type[errors.ProviderError], decision: Decision, sandbox_model: ModelControl
) -> None:
    openai(sandbox_model.url).complete(REQUEST)  # so that no import eats the time of the call
    sandbox_model.reset()
    sandbox_model.script(fault, drip_seconds=20)
    with pytest.raises(errors.ProviderError) as caught:
        openai(sandbox_model.url).complete(replace(REQUEST, timeout=1.0))
    assert isinstance(caught.value, expected), repr(caught.value)
    assert caught.value.decision is decision
    assert sandbox_model.calls()["total"] == 1


def test_a_sound_answer_is_priced_by_the_model_that_was_asked_for(serve: Serve) -> None:
    server = serve(http(chat("{}", model="gpt-4o")))
    reply = openai(server.url).complete(replace(REQUEST, temperature=0.0))
    assert (reply.text, reply.provider, reply.model) == ("{}", "openai", "gpt-4o-mini")
    assert reply.cost_nanousd == 5 * 150 + 3 * 600
    assert server.requests[0][1]["temperature"] == 0.0


def test_usage_that_is_missing_is_estimated_and_not_free(sandbox_model: ModelControl) -> None:
    sandbox_model.script("no_usage")
    reply = openai(sandbox_model.url).complete(REQUEST)
    assert reply.usage_estimated
    assert reply.cost_nanousd


def test_retry_after_is_found(sandbox_model: ModelControl) -> None:
    sandbox_model.script("rate_limit", retry_after=7)
    with pytest.raises(errors.RateLimited) as caught:
        openai(sandbox_model.url).complete(REQUEST)
    assert caught.value.retry_after == 7


@pytest.mark.parametrize("vendor", ["openai", "anthropic"])
@pytest.mark.parametrize("part", ["headers", "body"])
def test_an_answer_that_drips_in_does_not_outlast_the_call(
    part: str, vendor: str, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = http(chat() if vendor == "openai" else ANTHROPIC)
    start = whole.index(b"\r\n\r\n") + 4
    holder: list[RawServer] = []
    drip = dripping(whole if part == "headers" else whole[start:], lambda: holder[0])

    def reply(connection: socket.socket) -> None:
        if part == "body":
            connection.sendall(whole[:start])
        drip(connection)

    openai(serve(http(chat())).url).complete(REQUEST)
    holder.append(serve(reply))
    monkeypatch.setenv("ANTHROPIC_API_BASE", holder[0].url)
    asked = openai(holder[0].url) if vendor == "openai" else claude()
    started = time.monotonic()
    with pytest.raises(errors.ProviderTimeout):
        asked.complete(replace(REQUEST, timeout=0.5))
    assert time.monotonic() - started < 3


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "http://no-such-host.invalid"])
def test_a_provider_that_cannot_be_reached_burns_no_attempt(url: str) -> None:
    with pytest.raises(errors.ProviderUnavailable) as caught:
        openai(url).complete(REQUEST)
    assert caught.value.decision is Decision.DEFER


@pytest.mark.parametrize("vendor", ["openai", "anthropic"])
def test_a_redirect_is_not_followed(vendor: str, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = serve(http(chat()))
    server = serve(http(b"", status="307 Temporary Redirect", headers=f"Location: {elsewhere.url}/v1\r\n"))
    monkeypatch.setenv("ANTHROPIC_API_BASE", server.url)
    with pytest.raises(errors.ProviderError):
        (openai(server.url) if vendor == "openai" else claude()).complete(REQUEST)
    assert elsewhere.requests == []


def test_an_unknown_provider_is_a_wrong_configuration() -> None:
    with pytest.raises(errors.ProviderRejected):
        LiteLLM(vendor="nobody", model="nobody/some-model", api_key=KEY, env={}).complete(REQUEST)


def test_neither_key_nor_document_is_in_an_error_or_its_traceback(serve: Serve) -> None:
    words = f"Incorrect key {KEY} for prompt: {REQUEST.user}"
    server = serve(http({"error": {"message": words, "code": "invalid_api_key"}}, status="401 Unauthorized"))
    with pytest.raises(errors.ProviderAuthFailed) as caught:
        openai(server.url).complete(REQUEST)
    text = "".join(traceback.format_exception(caught.value))
    assert "Incorrect key" in text
    assert KEY not in text
    assert "printer" not in text


def test_parameters_that_are_not_known_never_reach_the_provider(sandbox_model: ModelControl) -> None:
    with pytest.raises(errors.ProviderRejected, match="api_base"):
        openai(sandbox_model.url).complete(replace(REQUEST, extra_params={"api_base": "http://elsewhere"}))
    assert sandbox_model.calls()["total"] == 0


def test_a_model_that_takes_one_temperature_only_is_still_asked(serve: Serve) -> None:
    server = serve(http(chat()))
    openai(server.url, model="gpt-5-mini").complete(replace(REQUEST, temperature=0.0))
    (_, body), *_ = server.requests
    assert "temperature" not in body
    assert body["max_completion_tokens"] == 2048


def test_connections_are_kept_for_as_many_threads_as_call(serve: Serve) -> None:
    server = serve(http(chat()))
    barrier = threading.Barrier(16)
    failures: list[Exception] = []

    def work() -> None:
        barrier.wait()
        try:
            for _ in range(5):
                openai(server.url).complete(REQUEST)
        except Exception as error:  # noqa: BLE001 - a thread's failure is the test's
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(server.requests) == 80
    assert server.connections <= 16


ANTHROPIC = {
    "id": "m",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-4-5",
    "content": [{"type": "text", "text": "{}"}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 5, "output_tokens": 3},
}


def test_a_provider_with_its_own_protocol_works_too(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    server = serve(http(ANTHROPIC))
    monkeypatch.setenv("ANTHROPIC_API_BASE", server.url)
    reply = claude().complete(replace(REQUEST, temperature=0.0, system="Be brief"))
    assert (reply.text, reply.prompt_tokens, reply.cost_nanousd) == ("{}", 5, 5 * 3000 + 3 * 15000)
    headers, body = server.requests[0]
    assert headers["x-api-key"] == KEY
    assert body["temperature"] == 0.0


@pytest.mark.parametrize(
    ("status", "kind", "expected"),
    [
        ("529 X", "overloaded_error", errors.ProviderUnavailable),
        ("429 X", "rate_limit_error", errors.RateLimited),
        ("401 X", "authentication_error", errors.ProviderAuthFailed),
        ("404 X", "not_found_error", errors.ProviderRejected),
        ("500 X", "api_error", errors.ProviderError5xx),
    ],
)
def test_its_errors_are_told_apart_and_asked_once(
    *,
    status: str,
    kind: str,
    expected: type[Exception],
    serve: Serve,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    body = {"type": "error", "error": {"type": kind, "message": "no"}}
    server = serve(http(body, status=status, headers="retry-after: 9\r\n"))
    monkeypatch.setenv("ANTHROPIC_API_BASE", server.url)
    with pytest.raises(expected) as caught:
        claude().complete(REQUEST)
    assert isinstance(caught.value, errors.ProviderError)
    assert caught.value.retry_after == 9
    assert len(server.requests) == 1


def test_nothing_but_the_call_itself_goes_out_in_a_fresh_process(serve: Serve) -> None:
    """Every address that is looked up or connected to is recorded; only the server's own may be."""
    server = serve(http(chat()))
    code = """
import json, socket, sys
seen = []
connect, look_up = socket.socket.connect, socket.getaddrinfo
socket.socket.connect = lambda self, address: (seen.append(address[1]), connect(self, address))[1]
socket.getaddrinfo = lambda host, port, *rest, **more: seen.append(port) or look_up(host, port, *rest, **more)
from enrichment.providers.base import ModelRequest
from enrichment.providers.litellm_adapter import LiteLLM
assert "litellm" not in sys.modules
asked = LiteLLM(vendor="openai", model="gpt-4o-mini", api_key="k", env={"OPENAI_API_BASE": sys.argv[1]})
asked.complete(ModelRequest(model="gpt-4o-mini", user="x", timeout=30))
print(json.dumps(sorted(set(map(str, seen)))))
"""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("LITELLM", "HF_"))}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, f"{server.url}/v1"],
        capture_output=True,
        text=True,
        check=True,
        env=clean,
    )
    assert json.loads(done.stdout.splitlines()[-1]) == [server.url.rpartition(":")[2]]
