"""Counting requests, by the pattern of their address and never by the address itself."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from django.http import HttpRequest, HttpResponse

from executions_app.metrics.declared import web
from executions_app.metrics.names import OTHER

REQUESTS: Final = web.REQUESTS.counter()
SECONDS: Final = web.SECONDS.histogram()

UNMATCHED: Final = "_unmatched"
_METHODS: Final = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})


class RequestMetrics:
    """Counts each request and how long it took."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Serve the request."""
        started = time.perf_counter()
        response = self.get_response(request)
        method, endpoint = method_of(request), endpoint_of(request)
        SECONDS.labels(method, endpoint).observe(time.perf_counter() - started)
        REQUESTS.labels(method, endpoint, str(response.status_code)).inc()
        return response


def method_of(request: HttpRequest) -> str:
    """Name the method, if it is one of HTTP's: a client may send any word."""
    return request.method if request.method in _METHODS else OTHER


def endpoint_of(request: HttpRequest) -> str:
    """Return the pattern that the address matched, such as `/api/v1/backfills/<str:backfill_id>`."""
    match = request.resolver_match
    return UNMATCHED if match is None else f"/{match.route}"
