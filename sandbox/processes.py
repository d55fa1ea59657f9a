"""Our own processes as children of a supervisor: web server, worker, watcher."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sandbox.children import Command
from sandbox.embedded.ports import LOOPBACK
from sandbox.supervisor import ChildSpec
from sandbox.waiting import answers

WORKER: Final = "worker"
WATCHER: Final = "watcher"
WEB: Final = "web"
STOP_SECONDS: Final = 20.0
"""What a process has between SIGTERM and SIGKILL on one's own machine."""

_ANY: Final = frozenset({"0.0.0.0", "::", "[::]", ""})  # compared with, not listened on


@dataclass(frozen=True, slots=True)
class Listening:
    """How the web server listens."""

    host: str
    port: int
    workers: int = 1
    reload: bool = False

    @property
    def url(self) -> str:
        """Where it is reached from this machine."""
        return f"http://{LOOPBACK if self.host in _ANY else self.host}:{self.port}"

    def words(self) -> tuple[str, ...]:
        """The options of `mongoclaw server api`."""
        listen = ("--host", self.host, "--port", str(self.port), "--workers", str(self.workers))
        return (*listen, "--reload") if self.reload else listen


def web(
    environ: Mapping[str, str], directory: Path, listening: Listening, *, stop_seconds: float = STOP_SECONDS
) -> ChildSpec:
    """The web server; it is ready when it answers."""
    command = _python(environ, directory, "mongoclaw_project", "server", "api", *listening.words())
    url = f"{listening.url}/health/live"
    return ChildSpec(WEB, command, stop_seconds=stop_seconds, is_ready=lambda: answers(url))


def worker(environ: Mapping[str, str], directory: Path, *, stop_seconds: float = STOP_SECONDS) -> ChildSpec:
    """A worker of all queues."""
    argv = ("celery", "--quiet", "-A", "mongoclaw_project", "worker", "--pool", "threads")
    quiet = ("--without-gossip", "--without-mingle", "--loglevel", "WARNING")
    # Celery warns root because of pickles, which this worker refuses; on one's own machine that is noise.
    ignored = "ignore:You're running the worker with superuser privileges"
    warnings = ",".join(part for part in (environ.get("PYTHONWARNINGS"), ignored) if part)
    command = _python({**environ, "PYTHONWARNINGS": warnings}, directory, *argv, *quiet)
    return ChildSpec(WORKER, command, stop_seconds=stop_seconds)


def watcher(environ: Mapping[str, str], directory: Path, *, stop_seconds: float = STOP_SECONDS) -> ChildSpec:
    """A watcher of all roles."""
    return ChildSpec(WATCHER, _python(environ, directory, "watcher"), stop_seconds=stop_seconds)


def place_of(data_dir: Path) -> Path:
    """Where the packages are importable from: the clone, or anywhere if they are installed."""
    clone = Path(__file__).resolve().parents[1]
    return clone if (clone / "mongoclaw_project").is_dir() else data_dir


def _python(environ: Mapping[str, str], directory: Path, *module_and_words: str) -> Command:
    return Command((sys.executable, "-m", *module_and_words), env=environ, directory=directory)
