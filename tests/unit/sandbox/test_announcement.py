from __future__ import annotations

import json
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox.addresses import Addresses
from sandbox.announcement import FILE_NAME, announced, read_announcement
from sandbox.identity import identify

HERE = Addresses(mongodb="mongodb://h:1", broker="redis://h:2/0", database="sqlite:////d", web="http://h:3")


def test_addresses_are_announced_to_their_owner_alone_until_the_end(tmp_path: Path) -> None:
    path = tmp_path / FILE_NAME
    with announced(HERE, tmp_path):
        said = read_announcement(path)
        assert said is not None
        assert said.addresses == HERE
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == []


def test_the_end_of_one_system_does_not_silence_another(tmp_path: Path) -> None:
    path = tmp_path / FILE_NAME
    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        identity = identify(other.pid)
        assert identity is not None
        with announced(HERE, tmp_path):
            data = json.loads(path.read_text())
            data["process"] = {"pid": identity.pid, "started": identity.started}
            path.write_text(json.dumps(data))
        assert read_announcement(path) is not None
    finally:
        other.kill()
        other.communicate()
    assert read_announcement(path) is None


def test_a_reused_pid_is_not_taken_for_the_system(tmp_path: Path) -> None:
    path = tmp_path / FILE_NAME
    with announced(HERE, tmp_path):
        data = json.loads(path.read_text())
        data["process"]["started"] = "another:boot"
        path.write_text(json.dumps(data))
        assert read_announcement(path) is None


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"process": {"pid": 1}, "addresses": {}}'])
def test_a_damaged_file_says_nothing(tmp_path: Path, text: str) -> None:
    path = tmp_path / FILE_NAME
    path.write_text(text)
    assert read_announcement(path) is None
