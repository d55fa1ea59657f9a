"""The demo ends well, says so in its last line, and leaves nothing running."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox.waiting import wait_until
from tests.acceptance.sandbox.processes import clean_environment, processes_of

ROOT = Path(__file__).parents[3]
pytestmark = pytest.mark.timeout(240)


def test_the_last_line_says_that_nothing_was_lost_or_doubled(tmp_path: Path) -> None:
    done = _demo(tmp_path / "demo", "--documents", "80", "--seed", "7")
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert list(found) == ["inserted", "matching", "enriched", "lost", "doubled", "model_calls", "seconds"]
    assert found["inserted"] == 80
    assert found["enriched"] == found["matching"] > 40
    assert (found["lost"], found["doubled"]) == (0, 0)
    assert found["model_calls"] >= found["matching"]
    for shown in ("is no language model", "killing the worker (SIGKILL)", "as it was inserted", "together"):
        assert shown in done.stdout


def test_a_directory_with_something_else_is_left_alone(tmp_path: Path) -> None:
    precious = tmp_path / "thesis.txt"
    precious.write_text("three years of work")
    done = _demo(tmp_path)
    assert done.returncode == 1
    assert "choose another --data-dir" in done.stderr
    assert precious.read_text() == "three years of work"


@pytest.mark.faults
def test_ctrl_c_in_the_middle_leaves_nothing_running_and_the_next_demo_is_as_good(tmp_path: Path) -> None:
    data_dir = tmp_path / "demo"
    output = tmp_path / "out"
    with output.open("wb") as file:
        running = subprocess.Popen(
            _command(data_dir),
            cwd=ROOT,
            env=clean_environment(data_dir),
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        assert wait_until(lambda: b"inserting" in output.read_bytes(), seconds=60), output.read_text()
        assert len(processes_of(data_dir)) >= 7
        os.killpg(running.pid, signal.SIGINT)  # as the terminal does
        assert running.wait(60) == 130
    finally:
        running.kill()
        running.wait()
    assert processes_of(data_dir) == set()
    assert output.read_text().rstrip().endswith("everything that the demo started has ended")
    again = _demo(data_dir, "--documents", "10")
    assert again.returncode == 0, again.stdout + again.stderr


def _demo(data_dir: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        _command(data_dir, *words),
        cwd=ROOT,
        env=clean_environment(data_dir),
        capture_output=True,
        text=True,
        check=False,
    )


def _command(data_dir: Path, *words: str) -> list[str]:
    return [
        *(sys.executable, "-m", "mongoclaw_project", "demo", "--sandbox", "--data-dir", str(data_dir)),
        *words,
    ]
