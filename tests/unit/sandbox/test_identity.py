"""A pid means a process only together with its start time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox.identity import ProcessIdentity, identify, read_pid_file, write_pid_file


def test_this_process_is_alive() -> None:
    identity = identify(os.getpid())
    assert identity is not None
    assert identity.is_alive()


def test_a_reused_pid_is_another_process_and_is_not_signalled() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        earlier = ProcessIdentity(process.pid, "an earlier boot:1")
        assert not earlier.is_alive()
        assert not earlier.send(signal.SIGKILL)
        assert earlier.end(signal.SIGKILL, seconds=1)
        assert process.poll() is None
        process.kill()


def test_a_zombie_is_not_alive() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        identity = identify(process.pid)
        assert identity is not None
        assert identity.end(signal.SIGKILL, seconds=10)
        assert identify(process.pid) is None


def test_a_pid_file_gives_back_what_was_written(tmp_path: Path) -> None:
    identity = ProcessIdentity(7, "boot:42")
    write_pid_file(tmp_path / "a.pid", identity)
    assert read_pid_file(tmp_path / "a.pid") == identity


@pytest.mark.parametrize("text", ["", "12", "[]", '{"pid": "x", "started": ""}', '{"pid": 4}'])
def test_a_damaged_pid_file_names_nobody(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.pid").write_text(text)
    assert read_pid_file(tmp_path / "a.pid") is None
