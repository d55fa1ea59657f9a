"""The command line in this process, on real servers."""

from __future__ import annotations

import io
import json
import logging
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pymongo.database import Database

from agents_app.models import Agent
from executions_app import ledger
from executions_app.models import Execution
from mongoclaw_project.cli.main import main
from mongoclaw_project.config import Loaded, load_settings, loading
from sandbox.model.client import ModelControl
from tests.events import new_event

SUPPORT = """\
id: support
name: Support triage
watch: {{database: {database}, collection: tickets, filter: {{status: open}}}}
ai:
  provider: sandbox
  model: sandbox-1
  prompt: "Sort this ticket: {{{{ document.text }}}}"
  response_schema:
    type: object
    properties: {{queue: {{type: string, enum: [billing, technical]}}}}
    required: [queue]
    additionalProperties: false
"""


def recorded(number: int = 1, *, room: int = 9, now: datetime | None = None, **changes: Any) -> str:
    """Put an event of the only agent on record; returns the row's id."""
    agent = Agent.objects.get()
    event = new_event(number, agent_id=agent.pk, version_id=agent.current_version_id, **changes)
    ledger.record([event], room={agent.pk: room}, now=now or datetime.now(UTC))
    return Execution.objects.latest("sequence").pk


@dataclass(frozen=True)
class Outcome:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        """The JSON on stdout."""
        return json.loads(self.out)


Run = Callable[..., Outcome]
Point = Callable[..., None]


@pytest.fixture
def point(monkeypatch: pytest.MonkeyPatch) -> Point:
    """Let the commands use servers of the test's choice: `point(MONGODB__URI=…)`."""

    def point(**values: str) -> None:
        settings = load_settings({f"MONGOCLAW_{name}": value for name, value in values.items()})
        monkeypatch.setattr(loading, "_current", lambda: Loaded(settings, ()))

    return point


@pytest.fixture
def servers(
    mongo_uri: str, redis_url: str, mongo_db: Database[Any], sandbox_model: ModelControl
) -> dict[str, str]:
    """Settings for servers that work; MongoClaw's own database is the test's."""
    return {
        "MONGODB__URI": mongo_uri,
        "MONGODB__DATABASE": mongo_db.name,
        "REDIS__URL": redis_url,
        "AI__SANDBOX_URL": sandbox_model.url,
    }


@pytest.fixture
def run(
    db: None,
    point: Point,
    servers: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[Run]:
    """Run a command as the console script does: `run("agents", "list", stdin="y\\n")`."""
    point(**servers)
    logging.disable()  # a command's process sends them to stderr; here they are set up as in a server

    def run(*words: str, stdin: str = "") -> Outcome:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(words)
        printed = capsys.readouterr()
        return Outcome(int(ended.value.code or 0), printed.out, printed.err)

    yield run
    logging.disable(logging.NOTSET)


@pytest.fixture
def agent_file(tmp_path: Path, mongo_db: Database[Any]) -> Path:
    """A file with a valid agent that watches the test's database."""
    path = tmp_path / "support.yaml"
    path.write_text(SUPPORT.format(database=mongo_db.name))
    return path
