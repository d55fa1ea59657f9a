"""A `mongoclaw dev` of a test's own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Final

from sandbox.addresses import Addresses
from sandbox.embedded.ports import reserved_port
from sandbox.waiting import wait_until
from tests.acceptance.sandbox.processes import clean_environment, processes_of

ROOT: Final = Path(__file__).parents[3]
START_SECONDS: Final = 90


class Dev:
    """A running `mongoclaw dev` in a folder of its own, with its data there."""

    def __init__(self, folder: Path, *words: str, **environ: str) -> None:
        self.folder = folder
        self.data_dir = data_dir = folder / ".mongoclaw"
        self.ready = data_dir / "ready.json"
        data_dir.mkdir(parents=True, exist_ok=True)
        self.output = folder / "dev.out"
        with reserved_port(data_dir / "web.port") as port, self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "mongoclaw_project", "dev", "--port", str(port)),
                    *("--latency-ms", "0", "--ready-file", str(self.ready), *words),
                ],
                cwd=folder,
                env=self.environment() | environ,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def addresses(self) -> Addresses:
        assert wait_until(
            lambda: self.ready.exists() or self.process.poll() is not None, seconds=START_SECONDS
        )
        assert self.ready.exists(), self.text()
        return Addresses(**json.loads(self.ready.read_text()))

    def second_terminal(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command in the same folder, without any setting."""
        return subprocess.run(
            [sys.executable, "-m", "mongoclaw_project", *words],
            cwd=self.folder,
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def text(self) -> str:
        return self.output.read_text(errors="replace")

    def pids(self) -> set[int]:
        return processes_of(self.data_dir)

    def environment(self) -> dict[str, str]:
        """That of another terminal in the folder: without any setting."""
        return clean_environment(self.data_dir) | {"PYTHONPATH": str(ROOT)}
