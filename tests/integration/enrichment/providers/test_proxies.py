from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from enrichment.errors import ProviderError
from enrichment.providers.base import ModelRequest
from enrichment.providers.http import proxy_for
from enrichment.providers.litellm_transport import session
from enrichment.providers.openai_compatible import OpenAICompatible
from tests.integration.enrichment.providers.raw_server import RawServer, chat, http

REQUEST = ModelRequest(model="m", user="x", timeout=5)


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[RawServer]:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    server = RawServer(http(chat()))
    monkeypatch.setenv("http_proxy", server.url)
    monkeypatch.setenv("https_proxy", server.url)
    monkeypatch.setenv("no_proxy", "direct.invalid,.inside.invalid")
    yield server
    server.close()


def test_a_call_goes_through_the_proxy_of_the_environment(proxy: RawServer) -> None:
    OpenAICompatible("http://model.invalid").complete(REQUEST)
    assert proxy.requests[0][0][""] == "POST http://model.invalid/v1/chat/completions HTTP/1.1"
    assert proxy.requests[0][0]["host"] == "model.invalid"


def test_a_secure_call_asks_the_proxy_for_a_tunnel(proxy: RawServer) -> None:
    with pytest.raises(ProviderError):
        OpenAICompatible("https://model.invalid").complete(replace(REQUEST, timeout=0.5))
    assert proxy.requests[0][0][""].startswith("CONNECT model.invalid:443 ")


def test_litellms_client_goes_through_it_too(proxy: RawServer) -> None:
    with session(4) as client:
        client.get("http://model.invalid/x")
    assert proxy.requests[0][0][""] == "GET http://model.invalid/x HTTP/1.1"


@pytest.mark.parametrize("host", ["direct.invalid", "a.inside.invalid", "localhost", "127.0.0.1"])
def test_exceptions_and_this_machine_are_reached_directly(host: str, proxy: RawServer) -> None:
    assert proxy_for("http", host) is None
