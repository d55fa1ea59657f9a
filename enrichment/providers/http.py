"""One POST of JSON to a provider: kept-alive connections, one deadline for the whole call, a bounded answer.

urllib3 takes a tenth of the CPU of the SDKs and carries 256 calls in flight. Nothing is tried again and no
redirect is followed: a redirect would take the API key to another host.
"""

from __future__ import annotations

import http.client
import io
import json
import os
import re
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus
from typing import Any, Final
from urllib.request import getproxies, proxy_bypass

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from enrichment.errors import ProviderBadResponse, ProviderRejected, ProviderTimeout
from enrichment.providers.egress import Egress
from enrichment.providers.guarded import Guarded
from enrichment.providers.http_errors import translated

MAX_BODY: Final = 8 * 1024 * 1024  # bytes
CONNECT_SECONDS: Final = 10.0  # for the connection and for sending; also never more than the whole call has

_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}")
_MOST_POOLS = 64
_LOCAL = frozenset({"localhost", "127.0.0.1", "[::1]"})
_OURS = frozenset(
    {"host", "content-length", "transfer-encoding", "connection", "accept-encoding", "content-type"}
)

_encode = json.JSONEncoder(allow_nan=False, separators=(",", ":"), default=str).encode


class _UntilDeadline(io.RawIOBase):
    """Reads from a socket until a point in time: its own timeout starts anew with every byte."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket) -> None:
        self._raw = raw
        self._sock = sock
        # urllib3 has just set the socket's timeout to what is left for the whole call.
        timeout = sock.gettimeout()
        self._deadline = None if timeout is None else time.monotonic() + timeout
        self._fresh = True

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int | None:
        if self._deadline is not None and not self._fresh:
            left = self._deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError("timed out")
            self._sock.settimeout(left)
        self._fresh = False
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_UntilDeadline(self.fp.detach(), sock), 16384)


class _Plain(Guarded):
    response_class = _Response

    def request(self, *args: Any, **kwargs: Any) -> None:
        _reset_timeout(self)
        super().request(*args, **kwargs)


class _Secure(Guarded, HTTPSConnection):
    response_class = _Response

    def request(self, *args: Any, **kwargs: Any) -> None:
        _reset_timeout(self)
        super().request(*args, **kwargs)


def _reset_timeout(connection: HTTPConnection) -> None:
    if connection.sock is not None:  # a kept-alive socket still has what was left of the call before
        connection.sock.settimeout(connection.timeout)


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _Plain


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _Secure


def proxy_for(scheme: str, host: str) -> str | None:
    """Return the proxy that the environment names for an address; none for this machine."""
    proxies = getproxies()
    url = proxies.get(scheme) or proxies.get("all")
    if not url or host in _LOCAL or proxy_bypass(host):
        return None
    return url if "://" in url else f"http://{url}"


@lru_cache(maxsize=1)
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()  # reading the certificates takes 20 ms: once, not for each connection


_Target = tuple[
    str, str, int | None, int, Egress | None
]  # scheme, host, port, connections kept, what is allowed


class _Pools:
    """The process's connections, one pool per address; the oldest pool goes when there are too many."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        self._pools: dict[_Target, HTTPConnectionPool] = {}
        self._lock = threading.Lock()

    def at(self, target: _Target) -> HTTPConnectionPool:
        pool = self._pools.get(target)
        if pool is not None:
            return pool
        with self._lock:
            if target not in self._pools:
                if len(self._pools) >= _MOST_POOLS:
                    del self._pools[next(iter(self._pools))]
                self._pools[target] = _open_pool(*target)
            return self._pools[target]


def _open_pool(
    scheme: str, host: str, port: int | None, size: int, egress: Egress | None
) -> HTTPConnectionPool:
    proxy = proxy_for(scheme, host)
    if proxy is not None:
        manager = urllib3.ProxyManager(proxy, maxsize=size, ssl_context=_tls())
        manager.pool_classes_by_scheme = {"http": _PlainPool, "https": _SecurePool}
        return manager.connection_from_host(host, port, scheme)
    if scheme == "https":
        return _SecurePool(host, port, maxsize=size, ssl_context=_tls(), egress=egress)
    return _PlainPool(host, port, maxsize=size, egress=egress)


_pools = _Pools()
# A socket that two processes share gives each of them the other's answers.
os.register_at_fork(after_in_child=_pools.forget)


@dataclass(frozen=True, slots=True)
class HttpReply:
    """Status, headers (looked up in any case) and body of an answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def ok(self) -> bool:
        """Whether the status is one of success."""
        return HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES

    def json(self) -> Any:
        """Return the decoded body, or None if it is not JSON."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None


def checked_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return `headers` if they can be sent.

    Raises ProviderRejected that names the header and not its value: http.client's own error would quote the
    key.
    """
    for name, value in headers.items():
        if not _TOKEN.fullmatch(name) or name.lower() in _OURS:
            raise ProviderRejected(f"The header {name[:64]!r} cannot be set")
        if not (value.isascii() and value.isprintable()):
            raise ProviderRejected(f"The value of the header {name} holds characters that cannot be sent")
    return dict(headers)


class Endpoint:
    """One address of a provider.

    `name` is the provider's name in messages; `pool_size` is how many connections are kept open. An address that
    an agent's author gave comes with the `egress` that bounds it; None is for the operator's own.
    Raises ProviderRejected if `url` is not an http or https address.
    """

    def __init__(self, url: str, *, name: str, pool_size: int, egress: Egress | None = None) -> None:
        try:
            parsed = urllib3.util.parse_url(url)
        except urllib3.exceptions.LocationParseError:
            raise ProviderRejected(f"The address of {name} cannot be read") from None
        if parsed.scheme not in ("http", "https") or not parsed.host:
            raise ProviderRejected(
                f"The address of {name} must begin with http:// or https:// and name a host"
            )
        if parsed.auth:
            raise ProviderRejected(f"The address of {name} must not hold a user or password")
        self._name = name
        self._url = parsed.url
        self._path = parsed.request_uri
        self._target = (parsed.scheme, parsed.host, parsed.port, pool_size, egress)

    def post(self, payload: Mapping[str, Any], headers: Mapping[str, str], *, timeout: float) -> HttpReply:
        """Send `payload`; return what came back, whatever its status.

        `timeout` is in seconds, for everything. Raises ProviderUnavailable, ProviderTimeout,
        ProviderError5xx, ProviderBadResponse or ProviderRejected.
        """
        if timeout <= 0:
            raise ProviderTimeout(f"No time was left to call {self._name}")
        try:
            body = _encode(payload).encode("ascii")
        except (TypeError, ValueError, RecursionError):
            raise ProviderRejected("ai.extra_params hold something that cannot be sent as JSON") from None
        limits = urllib3.Timeout(connect=min(CONNECT_SECONDS, timeout), total=timeout)
        with translated(self._name):
            pool = _pools.at(self._target)
            self._vet_for(pool)
            response = pool.urlopen(
                "POST",
                self._url if pool.proxy is not None and self._target[0] == "http" else self._path,
                body=body,
                headers={"Content-Type": "application/json", "Accept-Encoding": "identity", **headers},
                retries=False,
                redirect=False,
                assert_same_host=False,  # a proxy is given the whole address
                timeout=limits,
                preload_content=False,
            )
            return self._read(response)

    def _vet_for(self, pool: HTTPConnectionPool) -> None:
        """Look at the address oneself where a proxy will connect; what only the proxy can look up is its to judge."""
        scheme, host, port, _, egress = self._target
        if pool.proxy is not None and egress is not None:
            with suppress(socket.gaierror, UnicodeError):
                egress.vetted(host, port or urllib3.connectionpool.port_by_scheme[scheme])

    def _read(self, response: urllib3.BaseHTTPResponse) -> HttpReply:
        complete = False
        try:
            body = response.read(MAX_BODY + 1)
            complete = len(body) <= MAX_BODY
        finally:
            if complete:
                response.release_conn()
            else:
                response.close()
        if not complete:
            raise ProviderBadResponse(
                f"{self._name} sent more than {MAX_BODY // 2**20} MiB", status=response.status
            )
        return HttpReply(response.status, response.headers, body)
