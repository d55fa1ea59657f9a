"""One log line per request, and JSON for the errors of machine-read addresses."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable
from typing import Final

import structlog
from django.http import HttpRequest, HttpResponse

log = structlog.get_logger(__name__)

_REQUEST_ID: Final = re.compile(r"[\w.\-]{1,64}")
_SERVER_ERROR: Final = 500
CALLER: Final = "caller"
"""What authentication binds to the lines of a request, and what the next request of the thread must not have."""

_QUIET_PATHS: Final = ("/health", "/static/", "/metrics", "/ui/panels/")


class RequestLog:
    """Gives each request an id, binds it to every line logged meanwhile and logs the answer."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Serve the request."""
        given = request.headers.get("X-Request-ID", "")
        request_id = given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        request.request_id = request_id  # type: ignore[attr-defined]  # for whoever puts work on record
        started = time.perf_counter()
        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                response = self.get_response(request)
                self._log(request, response, time.perf_counter() - started)
            finally:
                structlog.contextvars.unbind_contextvars(CALLER)
        response["X-Request-ID"] = request_id
        return response

    def _log(self, request: HttpRequest, response: HttpResponse, seconds: float) -> None:
        quiet = request.path.startswith(_QUIET_PATHS) and response.status_code < _SERVER_ERROR
        emit = log.debug if quiet else log.info
        emit(
            "http.request",
            method=request.method,
            path=request.path,
            status_code=response.status_code,
            duration_ms=round(seconds * 1000, 1),
        )
