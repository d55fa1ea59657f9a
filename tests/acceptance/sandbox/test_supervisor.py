"""The supervisor leaves no process behind, whatever happens to it or to its children."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sandbox.identity import ProcessIdentity
from sandbox.waiting import wait_until

ROOT = Path(__file__).parents[3]
SUPERVISED = """
import json, signal, subprocess, sys, time
from pathlib import Path
from sandbox.child_output import TerminalSink
from sandbox.children import Command
from sandbox.errors import SandboxError
from sandbox.identity import identify
from sandbox.supervisor import ChildSpec, StopAsked, Supervisor

directory = Path(sys.argv[1])
programs = json.loads(sys.argv[2])

def note(name, pid):
    (directory / f"{name}.new").write_text(json.dumps([pid, identify(pid).started]))
    (directory / f"{name}.new").replace(directory / f"{name}.pid")

try:
    with Supervisor(TerminalSink(sys.stdout)) as supervisor:
        for name, program in programs.items():
            command = Command((sys.executable, "-u", "-c", program, str(directory), name))
            up = directory / f"{name}.up"
            child = supervisor.start(ChildSpec(name, command, stop_seconds=2, is_ready=up.exists))
            note(name, child.process.pid)
        (directory / "ready").touch()
        supervisor.run()
except StopAsked:
    print("stopped")
except SandboxError as error:
    print(f"error: {error}")
    sys.exit(1)
"""
UP = """
import json, pathlib, signal, subprocess, sys, time
directory, name = pathlib.Path(sys.argv[1]), sys.argv[2]
def up():
    print("up", flush=True)
    (directory / f"{name}.up").touch()
"""
SLEEPER = "up()\nsignal.pause()"
ORDERLY = """
def end(*_):
    with (directory / "order").open("a") as order:
        order.write(name + "\\n")
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
up()
while True:
    signal.pause()
"""
STUBBORN = """
signal.signal(signal.SIGTERM, signal.SIG_IGN)
up()
while True:
    signal.pause()
"""
PARENT = """
from sandbox.identity import identify
child = subprocess.Popen([sys.executable, "-c", "import signal\\nwhile True: signal.pause()"])
(directory / "grandchild.pid").write_text(json.dumps([child.pid, identify(child.pid).started]))
up()
signal.pause()
"""
MORTAL = """
up()
while not (directory / "ready").exists():
    time.sleep(0.01)
raise SystemExit("the disk is full")
"""

Supervise = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def supervise(tmp_path: Path) -> Iterator[Supervise]:
    running: list[subprocess.Popen[str]] = []

    def start(**programs: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [
                sys.executable,
                "-c",
                SUPERVISED,
                str(tmp_path),
                json.dumps({name: UP + program for name, program in programs.items()}),
            ],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        running.append(process)
        assert wait_until(lambda: (tmp_path / "ready").exists() or process.poll() is not None, seconds=30)
        return process

    yield start
    for process in running:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _identity(directory: Path, name: str) -> ProcessIdentity:
    path = directory / f"{name}.pid"
    assert wait_until(path.exists, seconds=10)
    assert wait_until(lambda: path.read_text().endswith("]"), seconds=10)
    return ProcessIdentity(*json.loads(path.read_text()))


def _is_gone(identity: ProcessIdentity) -> bool:
    return wait_until(lambda: not identity.is_alive(), seconds=10)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_the_children_the_last_started_first(
    supervise: Supervise, tmp_path: Path, number: signal.Signals
) -> None:
    names = ("mongod", "worker", "watcher")
    process = supervise(**dict.fromkeys(names, ORDERLY))
    children = [_identity(tmp_path, name) for name in names]
    assert all(child.is_alive() for child in children)
    process.send_signal(number)
    output, _ = process.communicate(timeout=30)
    assert "stopped" in output
    assert (tmp_path / "order").read_text().split() == ["watcher", "worker", "mongod"]
    assert all(_is_gone(child) for child in children)


def test_sigkill_of_the_supervisor_leaves_no_child(supervise: Supervise, tmp_path: Path) -> None:
    process = supervise(one=SLEEPER, two=STUBBORN)
    children = [_identity(tmp_path, name) for name in ("one", "two")]
    process.kill()
    process.wait()
    assert all(_is_gone(child) for child in children)


def test_a_dead_child_stops_the_system_and_shows_its_last_words(supervise: Supervise, tmp_path: Path) -> None:
    process = supervise(sleeper=SLEEPER, mortal=MORTAL)
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "error: mortal ended with exit code 1; its last lines:" in output
    assert output.rstrip().endswith("the disk is full")
    assert _is_gone(_identity(tmp_path, "sleeper"))


def test_a_child_that_ignores_the_signal_is_killed(supervise: Supervise, tmp_path: Path) -> None:
    process = supervise(stubborn=STUBBORN)
    child = _identity(tmp_path, "stubborn")
    process.terminate()
    process.communicate(timeout=30)
    assert _is_gone(child)


def test_what_a_child_has_started_ends_too(supervise: Supervise, tmp_path: Path) -> None:
    process = supervise(parent=PARENT)
    grandchild = _identity(tmp_path, "grandchild")
    process.terminate()
    process.communicate(timeout=30)
    assert _is_gone(grandchild)


def test_output_is_prefixed_and_without_colour_in_a_pipe(supervise: Supervise) -> None:
    process = supervise(worker=SLEEPER, mortal=MORTAL)
    output, _ = process.communicate(timeout=30)
    assert "worker  | up\n" in output
    assert "\x1b" not in output
