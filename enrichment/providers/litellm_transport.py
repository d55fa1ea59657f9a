"""The HTTP client that litellm is given. Imported by its adapter, after litellm."""

from __future__ import annotations

import time
from collections.abc import Iterator

import httpx

from enrichment.providers.http import CONNECT_SECONDS, MAX_BODY


class _Bounded(httpx.SyncByteStream):
    """An answer's body, up to a point in time and a size. httpx's timeout starts anew with every byte."""

    def __init__(self, stream: httpx.SyncByteStream, request: httpx.Request, deadline: float) -> None:
        self._stream = stream
        self._request = request
        self._deadline = deadline

    def __iter__(self) -> Iterator[bytes]:
        size = 0
        for chunk in self._stream:
            size += len(chunk)
            if time.monotonic() > self._deadline:
                raise httpx.ReadTimeout("The answer took too long", request=self._request)
            if size > MAX_BODY:
                raise httpx.ReadError("The answer is too large", request=self._request)
            yield chunk

    def close(self) -> None:
        self._stream.close()


class _Transport(httpx.HTTPTransport):
    def handle_request(self, request: httpx.Request) -> httpx.Response:
        limits = request.extensions.get("timeout", {})
        total = limits.get("read")
        if total is None:
            return super().handle_request(request)
        request.extensions["timeout"] = {**limits, "connect": min(CONNECT_SECONDS, total)}
        deadline = time.monotonic() + total
        response = super().handle_request(request)
        if isinstance(response.stream, httpx.SyncByteStream):
            response.stream = _Bounded(response.stream, request, deadline)
        return response


def session(pool_size: int) -> httpx.Client:
    """Return a client that keeps as many connections open as there are calls in flight.

    With fewer, httpx may close a connection that it has just handed out (httpcore#1110): calls then fail or
    hang.
    """
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=max(pool_size, 20))
    return httpx.Client(transport=_Transport(limits=limits, retries=0), follow_redirects=False)
