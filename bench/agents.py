"""Agents, created over HTTP as a program does."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from sandbox.child_output import FileSink
from sandbox.embedded.ports import LOOPBACK, reserved_port
from sandbox.processes import Listening, web
from sandbox.supervisor import Supervisor

_KEY: Final = secrets.token_urlsafe(32)
_MOST_REQUESTS: Final = 1_000_000

SETTINGS: Final = {
    "MONGOCLAW_SECURITY__API_KEYS": json.dumps([_KEY]),
    "MONGOCLAW_API__RATE_LIMIT_REQUESTS": str(_MOST_REQUESTS),
}
"""What a web server needs to take as many agents as a scenario has."""


class AgentRefused(Exception):
    """The web server did not create an agent; the message has its answer."""


def create(address: str, spec: Mapping[str, Any]) -> None:
    """Create an agent. When this returns, it is published. Raises AgentRefused, and OSError if nobody answers."""
    asked = Request(  # noqa: S310  a loopback address
        f"{address}/api/v1/agents",
        data=json.dumps(spec).encode(),
        headers={"X-API-Key": _KEY, "Content-Type": "application/json"},
    )
    try:
        urlopen(asked, timeout=60).close()  # noqa: S310
    except HTTPError as error:
        told = error.read().decode(errors="replace")
        raise AgentRefused(f"agent {spec['id']}: status {error.code}: {told}") from error


@contextmanager
def web_server(environ: Mapping[str, str], root: Path, directory: Path, sink: FileSink) -> Iterator[str]:
    """Run a web server beside what is measured; gives its address once it answers."""
    with Supervisor(sink) as supervisor:
        with reserved_port(directory / "web.port") as port:
            listening = Listening(LOOPBACK, port)
            supervisor.start(web(environ, root, listening))
        yield listening.url
