"""The official clients of MongoClaw 1.0.4, unchanged, from an agent's creation to an enriched document.

They come from their package indexes once, and are kept below `.mongoclaw/`.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http import HTTPStatus
from pathlib import Path

import pytest
import urllib3

from sandbox.embedded.ports import reserved_port
from tests.acceptance.conftest import ROOT, Fleet
from tests.conditions import eventually

VERSION = "1.0.4"
KEPT = ROOT / ".mongoclaw" / "clients"
PROGRAMS = Path(__file__).parent / "clients"
KEY = "mc-acceptance-key"


def test_every_method_of_the_official_clients_works(fleet: Fleet) -> None:
    fleet.environ["MONGOCLAW_SECURITY__API_KEYS"] = KEY
    fleet.environ["MONGOCLAW_API__RATE_LIMIT_REQUESTS"] = "100000"
    fleet.start()
    url = served(fleet)
    python, node = python_client(), node_client()
    programs = {
        "sync": ([sys.executable, str(PROGRAMS / "every_method.py"), "sync"], {"PYTHONPATH": str(python)}),
        "async": ([sys.executable, str(PROGRAMS / "every_method.py"), "async"], {"PYTHONPATH": str(python)}),
    }
    if node is not None:
        # Node looks for packages beside the program.
        program = shutil.copy(PROGRAMS / "every_method.js", node / "every_method.js")
        programs["node"] = (["node", str(program)], {})
    running = {name: started(*program, url, fleet.db.name) for name, program in programs.items()}
    with ExitStack() as stack:
        for process in running.values():
            stack.enter_context(process)
            stack.callback(process.kill)
        for name, process in running.items():
            ready(process)
            fleet.db[name].insert_one({"_id": 1, "text": "The invoice is wrong"})
        for name, process in running.items():
            finish(name, process, fleet)


def finish(name: str, process: subprocess.Popen[str], fleet: Fleet) -> None:
    """Wait for a program's end, and compare the run that it names with the document."""
    out, err = process.communicate(timeout=90)
    assert process.returncode == 0, f"{name}: {err}"
    run = json.loads(out.splitlines()[-1])["run"]
    document = fleet.db[name].find_one({"_id": 1}) or {}
    assert document["ai"]
    assert document["_ai_metadata"]["work_item_id"] == run


def served(fleet: Fleet) -> str:
    """Start the web server and wait until it is well; returns its address."""
    with reserved_port(fleet.directory / "web-port") as port:
        url = f"http://127.0.0.1:{port}"
        fleet.environ["MONGOCLAW_API__HOST"], fleet.environ["MONGOCLAW_API__PORT"] = "127.0.0.1", str(port)
        fleet.start_module("web", "mongoclaw_project", "server", "api")
        eventually(lambda: is_well(url), seconds=60)
    return url


def is_well(url: str) -> bool:
    """Whether the server has looked at all others, and they are well."""
    try:
        return urllib3.request("GET", f"{url}/health/ready", retries=False).status == HTTPStatus.OK
    except urllib3.exceptions.HTTPError:
        return False


def started(words: list[str], environ: dict[str, str], url: str, database: str) -> subprocess.Popen[str]:
    """Start a client's program."""
    return subprocess.Popen(
        [*words, url, KEY, database],
        env={**os.environ, **environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ready(process: subprocess.Popen[str]) -> None:
    """Wait until a program has its agent."""
    line = process.stdout.readline() if process.stdout else ""
    assert "ready" in line, process.communicate(timeout=30)[1]


def python_client() -> Path:
    """Give the folder of the Python package, as its index has it and nothing with it: our own is as new."""
    target = KEPT / f"python-{VERSION}"
    with kept(target) as missing:
        if missing:
            install = [
                sys.executable,
                "-m",
                "pip",
                "install",
                "--quiet",
                "--no-deps",
                "--target",
                str(target),
            ]
            subprocess.run([*install, f"mongoclaw=={VERSION}"], check=True, timeout=100)
    return target


def node_client() -> Path | None:
    """Give the folder of the Node package; None where there is no Node. CI has it."""
    if shutil.which("npm") is None:
        if os.environ.get("CI") == "true":
            pytest.fail("npm is not installed, and CI must test the Node client")
        return None
    target = KEPT / f"node-{VERSION}"
    with kept(target) as missing:
        if missing:
            (target / "package.json").write_text('{"private": true}')
            install = ["npm", "install", "--silent", "--no-audit", "--no-fund", f"mongoclaw@{VERSION}"]
            subprocess.run(install, cwd=target, check=True, timeout=100)
    return target


@contextmanager
def kept(target: Path) -> Iterator[bool]:
    """Tell whether a package is missing, and remember that it is not any more; one process at a time."""
    target.mkdir(parents=True, exist_ok=True)
    with (KEPT / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        marker = target / ".installed"
        yield not marker.exists()
        marker.touch()
