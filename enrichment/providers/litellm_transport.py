"""The HTTP client that litellm is given. Imported by its adapter, after litellm.

httpx's timeout starts anew with every byte that arrives; here it is the whole time of the call. The deadline
travels in a thread-local, because litellm and httpx do the whole of a call in the thread that asked for it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from ssl import SSLContext, create_default_context
from typing import Any
from urllib.request import getproxies

import httpcore
import httpx

from enrichment.providers.http import CONNECT_SECONDS, MAX_BODY

_call = threading.local()


def _left(timeout: float | None) -> float | None:
    """Return the seconds that the next operation may take."""
    deadline: float | None = getattr(_call, "deadline", None)
    if deadline is None:
        return timeout
    left = deadline - time.monotonic()
    if left <= 0:
        raise httpcore.ReadTimeout("timed out")
    return left if timeout is None else min(timeout, left)


class _Stream(httpcore.NetworkStream):
    def __init__(self, inner: httpcore.NetworkStream) -> None:
        self._inner = inner

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, _left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, _left(timeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, _left(timeout)))

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class _Backend(httpcore.SyncBackend):
    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        return _Stream(super().connect_tcp(host, port, _left(timeout), local_address, socket_options))


class _Bounded(httpx.SyncByteStream):
    """An answer's body up to a size."""

    def __init__(self, stream: httpx.SyncByteStream, request: httpx.Request) -> None:
        self._stream = stream
        self._request = request

    def __iter__(self) -> Iterator[bytes]:
        size = 0
        for chunk in self._stream:
            size += len(chunk)
            if size > MAX_BODY:
                raise httpx.ReadError("The answer is too large", request=self._request)
            yield chunk

    def close(self) -> None:
        self._stream.close()


class _Transport(httpx.HTTPTransport):
    def __init__(self, pool_size: int, proxy: str | None = None) -> None:
        super().__init__()
        self._pool.close()
        self._pool = httpcore.ConnectionPool(
            ssl_context=create_default_context(),
            proxy=None if proxy is None else _proxy(proxy),
            max_connections=None,
            max_keepalive_connections=max(pool_size, 20),
            network_backend=_Backend(),
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        limits = request.extensions.get("timeout", {})
        total = limits.get("read")
        _call.deadline = None if total is None else time.monotonic() + total
        if total is not None:
            request.extensions["timeout"] = {**limits, "connect": min(CONNECT_SECONDS, total)}
        response = super().handle_request(request)
        if isinstance(response.stream, httpx.SyncByteStream):
            response.stream = _Bounded(response.stream, request)
        return response


def _proxy(url: str) -> httpcore.Proxy:
    parsed = httpx.Proxy(url)
    return httpcore.Proxy(str(parsed.url), auth=parsed.raw_auth, headers=parsed.headers.raw)


def _mounts(pool_size: int) -> dict[str, httpx.BaseTransport | None]:
    """Follow HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY: httpx does so for its own transport only."""
    proxies = getproxies()
    direct = [host.strip() for host in proxies.pop("no", "").split(",") if host.strip()]
    if "*" in direct:
        return {}
    urls = {scheme: proxies[scheme] for scheme in ("http", "https", "all") if scheme in proxies}
    mounts: dict[str, httpx.BaseTransport | None] = {
        f"{scheme}://": _Transport(pool_size, url if "://" in url else f"http://{url}")
        for scheme, url in urls.items()
    }
    without = (f"*{host}" if host.startswith(".") else host for host in ("localhost", "127.0.0.1", *direct))
    return {**mounts, **{f"all://{host}": None for host in without}} if mounts else {}


def session(pool_size: int) -> httpx.Client:
    """Return a client that keeps as many connections open as there are calls in flight.

    With fewer, httpx may close a connection that it has just handed out (httpcore#1110): calls then fail or
    hang.
    """
    return httpx.Client(transport=_Transport(pool_size), mounts=_mounts(pool_size), follow_redirects=False)
