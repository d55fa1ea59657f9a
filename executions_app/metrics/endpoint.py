"""A process's own address: `/metrics` for Prometheus, `/health/live` and `/health/ready` for orchestrators."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, Protocol

import structlog
from prometheus_client import CONTENT_TYPE_LATEST

log = structlog.get_logger(__name__)

SLOWEST_CLIENT_SECONDS: Final = 5.0
JSON: Final = "application/json"


class Readiness(Protocol):
    """Whether the process does its work, what it is at the moment, and why not where it does not."""

    @property
    def is_ready(self) -> bool:
        """Whether it does."""

    @property
    def standing(self) -> str:
        """What it is."""

    @property
    def reasons(self) -> Sequence[str]:
        """Why not."""


class Endpoint:
    """A small HTTP server in a thread of its own. It ends with the process, or by `close`."""

    def __init__(
        self, host: str, port: int, *, metrics: Callable[[], bytes], readiness: Callable[[], Readiness]
    ) -> None:
        self._server = _Server((host, port), _Handler)
        self._server.metrics = metrics
        self._server.readiness = readiness
        threading.Thread(target=self._server.serve_forever, name="endpoint", daemon=True).start()

    @property
    def port(self) -> int:
        """The port that it answers on."""
        return int(self._server.server_address[1])

    def close(self) -> None:
        """Answer nobody any more."""
        self._server.shutdown()
        self._server.server_close()


def open_endpoint(
    host: str, port: int, *, setting: str, metrics: Callable[[], bytes], readiness: Callable[[], Readiness]
) -> Endpoint | None:
    """Open the address; None where it is turned off or cannot be had, which is no reason not to work.

    `setting` names the port's.
    """
    if port == 0:
        return None
    try:
        endpoint = Endpoint(host, port, metrics=metrics, readiness=readiness)
    except OSError as error:
        log.warning(
            "endpoint.not_opened",
            host=host,
            port=port,
            error=error.strerror or str(error),
            remedy=f"give each process of a host its own {setting}, or 0",
        )
        return None
    log.info("endpoint.opened", host=host, port=endpoint.port)
    return endpoint


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    metrics: Callable[[], bytes]
    readiness: Callable[[], Readiness]

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002  # socketserver's signature
        """A client that goes away in the middle is no news."""
        log.debug("endpoint.client_lost")


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    server_version = "mongoclaw"
    sys_version = ""
    timeout = SLOWEST_CLIENT_SECONDS

    def do_GET(self) -> None:  # the name is http.server's
        try:
            status, kind, body = self._answer(self.path.partition("?")[0])
        except Exception:
            log.exception("endpoint.failed", path=self.path)
            status, kind, body = HTTPStatus.INTERNAL_SERVER_ERROR, JSON, _json(error="see the log")
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_HEAD = do_GET  # noqa: N815  # likewise

    def _answer(self, path: str) -> tuple[HTTPStatus, str, bytes]:
        if path == "/metrics":
            return HTTPStatus.OK, CONTENT_TYPE_LATEST, self.server.metrics()
        if path == "/health/live":
            return HTTPStatus.OK, JSON, _json(status="alive")
        if path == "/health/ready":
            readiness = self.server.readiness()
            status = HTTPStatus.OK if readiness.is_ready else HTTPStatus.SERVICE_UNAVAILABLE
            return status, JSON, _json(status=readiness.standing, reasons=list(readiness.reasons))
        return HTTPStatus.NOT_FOUND, JSON, _json(error="not found")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # http.server's signature
        """Say nothing: whoever asks does so all the time."""


def _json(**values: object) -> bytes:
    return json.dumps(values).encode()
