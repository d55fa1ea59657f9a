"""The servers that everything measured stands on: MongoDB, the broker and the model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sandbox.child_output import FileSink
from sandbox.embedded import start_mongod, start_valkey
from sandbox.model.client import ModelControl, start_model
from sandbox.supervisor import Supervisor


@dataclass(frozen=True)
class Servers:
    """Running servers and their addresses."""

    supervisor: Supervisor
    mongo_url: str
    broker_url: str
    model: ModelControl
    pids: dict[str, int]

    @property
    def openai(self) -> dict[str, str]:
        """What makes a program take the sandbox model for OpenAI."""
        url = self.model.url
        return {"OPENAI_API_KEY": "sk-sandbox", "OPENAI_BASE_URL": url, "OPENAI_API_BASE": url}


@contextmanager
def running_servers(directory: Path, *, latency: str) -> Iterator[Servers]:
    """Start them, with the model's latency in milliseconds; stop them at the end."""
    with Supervisor(FileSink(directory / "logs")) as supervisor:
        mongod = supervisor.adopt(start_mongod(directory / "mongod"))
        valkey = supervisor.adopt(start_valkey(directory / "valkey"))
        model = supervisor.adopt(start_model(directory / "model", latency=latency))
        pids = {"mongod": mongod.pid, "broker": valkey.pid, "model": model.pid}
        yield Servers(supervisor, mongod.url, valkey.url, ModelControl(model.url), pids)
