"""The addresses of a fleet's processes, asked as Prometheus and orchestrators ask."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from sandbox.embedded.ports import reserved_port
from tests.acceptance.conftest import Fleet


@dataclass(frozen=True)
class Address:
    """The address of one process on loopback."""

    port: int

    def get(
        self, path: str, headers: Mapping[str, str] | None = None, data: bytes | None = None
    ) -> tuple[int, str]:
        """The status and the body; (0, "") while nobody answers."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data, dict(headers or {}))
        try:
            with urllib.request.urlopen(request, timeout=10) as reply:
                return reply.status, reply.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def health(self) -> tuple[int, dict[str, str]]:
        """What `/health/ready` says: the status, and by component what is wrong."""
        status, body = self.get("/health/ready")
        checks: dict[str, Any] = json.loads(body)["checks"] if body else {}
        return status, {name: one["error"] for name, one in checks.items() if one["status"] != "healthy"}

    def metrics(self) -> list[Metric]:
        """The families of `/metrics`."""
        return list(text_string_to_metric_families(self.get("/metrics")[1]))


def start_web(fleet: Fleet) -> Address:
    """Start a web server; returns when it answers."""
    with reserved_port(fleet.directory / "web.port") as port:
        fleet.start_module(
            "web", "mongoclaw_project", "server", "api", "--host", "127.0.0.1", "--port", str(port)
        )
        web = Address(port)
        fleet.wait_for(lambda: web.get("/health/live")[0] == 200)
    return web
