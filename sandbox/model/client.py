"""Starting the sandbox model, and steering it from tests, bench and demo."""

from __future__ import annotations

import json
import sys
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sandbox.embedded.server import Recipe, RunningServer, start_server

if TYPE_CHECKING:
    from sandbox.model.faults import FaultKind

_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class ModelControl:
    """Speaks to a running sandbox model; `url` is its OpenAI base address, which ends in /v1."""

    url: str

    def calls(self) -> dict[str, Any]:
        """The counts: total, in_flight, max_in_flight, prompts, outcomes, per_prompt."""
        return self._send("GET", "/calls")

    def log(self) -> list[dict[str, Any]]:
        """The single calls, oldest first: hash, prompt, started, ended, outcome, answer."""
        entries: list[dict[str, Any]] = self._send("GET", "/calls?log=1")["log"]
        return entries

    def script(self, kind: FaultKind | str, **rule: Any) -> None:
        """Adds a fault rule, for its keys see `FaultRule`."""
        self._send("POST", "/faults", {"kind": str(kind), **rule})

    def set_latency(self, latency: str | float) -> None:
        """Changes the latency of later calls: 200, "100-300" or "lognormal:200:0.5", in ms."""
        self._send("POST", "/latency", {"latency": str(latency)})

    def reset(self) -> None:
        """No faults, no latency, no calls counted."""
        self._send("DELETE", "/faults")
        self.set_latency("0")
        self._send("DELETE", "/calls")

    def is_up(self) -> bool:
        """Whether it answers."""
        try:
            return bool(self._send("GET", "/health")["status"] == "ok")
        except OSError:
            return False

    def _send(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        data = None if body is None else json.dumps(body).encode()
        address = self.url.removesuffix("/v1") + path
        request = urllib.request.Request(address, data=data, method=method)  # noqa: S310  a loopback address
        with urllib.request.urlopen(request, timeout=30) as reply:  # noqa: S310
            answer: dict[str, Any] = json.load(reply)
        return answer


def start_model(
    data_dir: Path, *, port: int | None = None, latency: str = "0", die_with_parent: bool = True
) -> RunningServer:
    """Starts the server in a process of its own; the `url` of the result is what providers are given."""

    def command(chosen: int) -> tuple[str, ...]:
        return (sys.executable, "-m", "sandbox.model", "--port", str(chosen), "--latency-ms", latency)

    recipe = Recipe(
        name="model",
        command=command,
        url=lambda chosen: f"http://127.0.0.1:{chosen}/v1",
        directory=_ROOT,
    )
    return start_server(recipe, data_dir, port=port, die_with_parent=die_with_parent)
