"""Where agents' own addresses may lead, on real connections."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import pytest

from agents_app.errors import Decision
from agents_app.spec import AISpec
from enrichment.errors import EgressRefused
from enrichment.providers import ProviderConfig, provider_for
from enrichment.providers.base import ModelRequest
from enrichment.providers.egress import Egress
from tests.integration.enrichment.providers.conftest import Serve
from tests.integration.enrichment.providers.raw_server import RawServer, chat, http

REQUEST = ModelRequest(model="m", user="x", timeout=5)
LOCAL = Egress(loopback=True)
NAME = "models.example"


def asked(url: str, egress: Egress, provider: str = "external") -> Any:
    field = "external_url" if provider == "external" else "base_url"
    ai = AISpec(provider=provider, model="m", prompt="{{ document }}", extra_params={field: url})
    return provider_for(ai, ProviderConfig(egress=egress)).complete(REQUEST).text


@pytest.fixture
def server(serve: Serve) -> RawServer:
    return serve(http(chat("fine")))


@pytest.fixture
def leads(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let a name lead to one address at the first look-up, to another at the next, as a rebinding server does."""
    true = socket.getaddrinfo

    def leads(*addresses: str) -> None:
        left = list(addresses)

        def look(host: str, *args: Any, **kwargs: Any) -> Any:
            named = host == NAME
            return true(left.pop(0) if named else host, *args, **kwargs)

        monkeypatch.setattr(socket, "getaddrinfo", look)

    return leads


@pytest.mark.parametrize("provider", ["external", "custom"])
def test_a_closed_place_is_not_even_connected_to(server: RawServer, provider: str) -> None:
    with pytest.raises(EgressRefused) as refused:
        asked(server.url, Egress(), provider)
    assert refused.value.decision is Decision.PERMANENT
    assert server.connections == 0
    assert asked(server.url, LOCAL, provider) == "fine"
    with pytest.raises(EgressRefused):
        asked(server.url, Egress(), provider)  # a connection that is open already is another one's


def test_a_name_is_looked_up_once_and_called_where_it_was_found(
    server: RawServer, leads: Callable[..., None]
) -> None:
    port = server.url.rpartition(":")[2]
    leads("127.0.0.1", "169.254.169.254")
    assert asked(f"http://{NAME}:{port}/run", LOCAL) == "fine"
    [(headers, _)] = server.requests
    assert headers["host"] == f"{NAME}:{port}", "the server is asked by its name"


def test_a_name_that_leads_inside_is_not_called(server: RawServer, leads: Callable[..., None]) -> None:
    leads("127.0.0.1")
    with pytest.raises(EgressRefused, match=rf"{NAME} \(127\.0\.0\.1\)"):
        asked(f"http://{NAME}:{server.url.rpartition(':')[2]}/run", Egress())
    assert server.connections == 0


def test_a_redirect_to_a_closed_place_is_not_followed(serve: Serve) -> None:
    inside = serve(http(chat("the secrets")))
    outside = serve(http(b"", status="302 Found", headers=f"Location: {inside.url}\r\n"))
    with pytest.raises(Exception, match="302"):
        asked(outside.url, LOCAL)
    assert inside.connections == 0


def test_behind_a_proxy_the_address_is_looked_at_all_the_same(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = serve(http(chat("by the proxy")))
    monkeypatch.setenv("http_proxy", proxy.url)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with pytest.raises(EgressRefused):
        asked("http://169.254.169.254/latest/meta-data", Egress())
    assert proxy.connections == 0
    assert asked("http://8.8.8.8/run", Egress()) == "by the proxy"
