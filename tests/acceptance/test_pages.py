"""The commands, calls and programs in the pages of the documentation, typed in their order on one system."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient

from enrichment.errors import QuotaExhausted
from executions_app.limits import Limiter, Rules, lessons_of
from executions_app.limits.limiter import connect
from sandbox.model.client import ModelControl
from sandbox.model.faults import FaultKind
from tests.acceptance.conftest import query_database
from tests.acceptance.reading import VENV, Reader
from tests.acceptance.sandbox.dev import Dev
from tests.conditions import eventually
from tests.pages import PAGES, ROOT, Block, Step, blocks_of

pytestmark = pytest.mark.timeout(400)
Document = dict[str, Any]
SECRET = "a-secret-of-this-test"
BEGUN = {"make install", "mongoclaw dev"}
"""What the test has done itself before it reads."""


class System:
    """A system in a folder that looks like a checkout to whoever types there."""

    def __init__(self, folder: Path) -> None:
        (folder / ".venv").symlink_to(VENV)
        (folder / "examples").symlink_to(ROOT / "examples")
        self.dev = Dev(folder, MONGOCLAW_WEBHOOKS__SECRET=SECRET)
        self.addresses = self.dev.addresses()
        self.began = datetime.now(UTC)

    @property
    def model(self) -> ModelControl:
        """What steers the model."""
        return ModelControl(str(self.addresses.model))

    def count(self, condition: str) -> int:
        """Count rows of the ledger."""
        query = f"SELECT count(*) FROM executions_app_execution WHERE {condition}"
        return int(query_database(self.addresses.database, query)[0][0])


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    started = System(tmp_path_factory.mktemp("checkout"))
    yield started
    started.dev.process.terminate()
    started.dev.process.wait(60)


@pytest.fixture
def reader(system: System) -> Iterator[Reader]:
    address = str(system.dev.folder / "warm")
    environ = system.dev.environment() | {"WARM": address, "SECRET": SECRET}
    words = (sys.executable, "-m", "tests.acceptance.warm_commands", address)
    warm = subprocess.Popen(words, cwd=system.dev.folder, env=environ)
    eventually(lambda: Path(address).exists() or warm.poll() is not None)
    since = f"{system.began:%Y-%m-%dT%H:%M:%SZ}"  # its oplog reaches no further back
    own = {
        "localhost:8000": "127.0.0.1:8000",
        "--at -2h": f"--at {since}",
        "--from -2h --to -1h": f"--from {since} --to -0s",
    }
    found = Reader(system.dev.folder, environ, own)
    yield found
    found.leave()
    warm.terminate()
    warm.wait()


def a_user(system: System, reader: Reader) -> None:
    """The one whose key `docs/access.md` makes."""
    words = "--noinput --username alice --email alice@example.com"
    reader.type(f"DJANGO_SUPERUSER_PASSWORD={SECRET} mongoclaw manage createsuperuser {words}")


def dead_letters(system: System, reader: Reader) -> None:
    """Three runs whose provider knows the key no more."""
    system.model.script(FaultKind.UNAUTHORIZED)
    with MongoClient[Document](system.addresses.mongodb) as mongo:
        tickets = mongo["helpdesk"]["tickets"]
        tickets.insert_many([{"status": "open", "body": f"Parcel {n} is lost"} for n in range(3)])
    eventually(lambda: system.count("status = 'failed'") == 3)


def a_cooldown(system: System, reader: Reader) -> None:
    """An account without credit; the other provider is well again."""
    system.model.reset()
    limiter = Limiter(connect(system.addresses.broker), lease_seconds=6, monotonic=time.monotonic)
    for lesson in lessons_of(QuotaExhausted(), Rules(agent_id="any", account="openai", model="gpt-4o")):
        limiter.report(lesson)


SCENES = {
    "docs/access.md": a_user,
    "docs/dead-letters.md": dead_letters,
    "docs/limits.md": a_cooldown,
}
"""What has happened before somebody turns to a page."""


def test_what_the_pages_show_is_what_happens(system: System, reader: Reader) -> None:
    troubles: list[str] = []
    for page in PAGES:
        scene = SCENES.get(str(page.relative_to(ROOT)))
        if scene is not None:
            scene(system, reader)
        for block in blocks_of(page):
            eventually(lambda: not system.count("status IN ('pending', 'queued', 'running')"))
            troubles += read(block, system, reader)

    assert not troubles, "\n\n".join(troubles)


def test_a_second_terminal_in_the_folder_needs_no_settings(system: System) -> None:
    dev = system.dev
    source = f"mongoclaw dev (process {dev.process.pid})"
    told = json.loads(dev.second_terminal("info", "--json").stdout)
    assert set(told["sources"].values()) == {source}
    assert system.addresses.mongodb.startswith(f"mongodb://{told['mongodb']}")
    assert f"(from {source})" in dev.second_terminal("info").stdout

    dev.process.kill()
    dev.process.wait()
    assert (dev.data_dir / "addresses.json").exists()
    told = json.loads(dev.second_terminal("info", "--json").stdout)
    assert set(told["sources"].values()) == {"default"}


def read(block: Block, system: System, reader: Reader) -> list[str]:
    """Do what a block shows; gives what went otherwise."""
    if block.language == "python":
        eventually(lambda: is_so(block, reader))
    if block.language != "console" or block.excuse:
        return []
    return [
        f"{block.place}: {step.command}\n{trouble}"
        for step in block.steps()
        if (trouble := begun(step, system, reader) if step.command in BEGUN else reader.do(step))
    ]


def begun(step: Step, system: System, reader: Reader) -> str:
    """Compare what the system said at its start with what is shown of it; all else builds on its addresses."""
    said = system.dev.text()
    end = said.index(step.shown[-1]) + len(step.shown[-1]) if step.shown else 0
    assert reader.recognises("\n".join(step.shown), said[:end]), said
    return ""


def is_so(block: Block, reader: Reader) -> bool:
    """Whether Python gives what is shown; a document is enriched a moment later."""
    try:
        return reader.calculate(block)
    except KeyError:
        return False
