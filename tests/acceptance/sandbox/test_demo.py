"""The demo ends well, says so in its last line, and leaves nothing running."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.mark.timeout(240)
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


def _demo(data_dir: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environ = {
        name: value for name, value in os.environ.items() if not name.startswith(("MONGOCLAW_", "DJANGO_"))
    }
    return subprocess.run(
        [sys.executable, "-m", "mongoclaw_project", "demo", "--sandbox", "--data-dir", str(data_dir), *words],
        cwd=ROOT,
        env=environ | {"MONGOCLAW_ENV_FILE": os.devnull},
        capture_output=True,
        text=True,
        check=False,
    )
