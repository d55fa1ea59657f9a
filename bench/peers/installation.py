"""MongoClaw 1.0.4 as its package index has it, in an environment of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

VERSION: Final = "1.0.4"
CACHE: Final = Path(__file__).parents[1] / ".cache"
_INSTALL_SECONDS: Final = 1800


@dataclass(frozen=True, slots=True)
class Installation:
    """Where it is, and the versions of what counts in a measurement."""

    directory: Path

    @property
    def command(self) -> str:
        """Its command line program."""
        return str(self.directory / "bin" / "mongoclaw")

    def versions(self) -> dict[str, str]:
        """Return the versions of its main parts."""
        listed = self._python("-m", "pip", "list", "--format", "json", "--disable-pip-version-check")
        wanted = ("mongoclaw", "litellm", "motor", "redis", "httpx", "openai")
        return {part["name"]: part["version"] for part in json.loads(listed) if part["name"] in wanted}

    def _python(self, *words: str) -> str:
        command = [str(self.directory / "bin" / "python"), *words]
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout


def installed(cache: Path = CACHE) -> Installation:
    """Give the installation, making it the first time. Raises CalledProcessError if pip fails."""
    directory = cache / f"mongoclaw-{VERSION}"
    marker = directory / ".installed"
    if not marker.exists():
        print(f"Installing MongoClaw {VERSION} into {directory}: once, it takes some minutes", flush=True)
        shutil.rmtree(directory, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", str(directory)], check=True)
        pip = [str(directory / "bin" / "python"), "-m", "pip", "install", "-qq"]
        subprocess.run(
            [*pip, "--disable-pip-version-check", f"mongoclaw=={VERSION}"],
            check=True,
            env={**os.environ, "PYTHONPATH": ""},
            timeout=_INSTALL_SECONDS,
        )
        marker.touch()
    return Installation(directory)
