"""Another system that is told, and the setting that names it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from executions_app.models import Notification
from mongoclaw_project.config import Loaded, load_settings, loading


class Receiver(HTTPServer):
    """Another system: keeps what it gets, and answers as it is told."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.status = 200


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((dict(self.headers), body))
        self.send_response(self.server.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    server = Receiver()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.shutdown()
    thread.join(10)
    server.server_close()


@pytest.fixture
def url(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> str:
    """Where notifications go, as set."""
    url = f"http://127.0.0.1:{receiver.server_port}/hook"
    settings = load_settings({"MONGOCLAW_NOTIFICATIONS__URL": url})
    monkeypatch.setattr(loading, "_current", lambda: Loaded(settings, ()))
    return url


def told() -> list[dict[str, Any]]:
    """What is on record to be told, in the order in which it came."""
    return [row.body for row in Notification.objects.order_by("created_at")]
