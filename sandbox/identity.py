"""Which process a pid meant when it was written down: pids are reused, pid and start time are not."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path

from sandbox.waiting import wait_until

_STATE = 0
_START_TIME = 19
_PROC = Path("/proc")


@dataclass(frozen=True)
class ProcessIdentity:
    """A process that ran at some time on this machine; `started` differs for another one with its pid."""

    pid: int
    started: str

    def is_alive(self) -> bool:
        """Whether this very process still runs; a zombie does not."""
        return identify(self.pid) == self

    def send(self, number: signal.Signals) -> bool:
        """Sends a signal, if the process still is the same one; says whether it was sent."""
        if not self.is_alive():
            return False
        try:
            os.kill(self.pid, number)
        except (ProcessLookupError, PermissionError):
            return False
        return True

    def end(self, number: signal.Signals, *, seconds: float) -> bool:
        """Asks the process to end, kills it after `seconds`; says whether it is gone."""
        if not self.send(number) or wait_until(lambda: not self.is_alive(), seconds=seconds):
            return not self.is_alive()
        self.send(signal.SIGKILL)
        return wait_until(lambda: not self.is_alive(), seconds=5)


def identify(pid: int) -> ProcessIdentity | None:
    """The process with this pid, None if there is none or it is a zombie."""
    started = _started_by_proc(pid) if _PROC.joinpath("self", "stat").exists() else _started_by_ps(pid)
    return ProcessIdentity(pid, started) if started else None


def write_pid_file(path: Path, identity: ProcessIdentity) -> None:
    """Writes it whole or not at all."""
    partial = path.with_suffix(path.suffix + ".new")
    partial.write_text(json.dumps(asdict(identity)))
    partial.replace(path)


def read_pid_file(path: Path) -> ProcessIdentity | None:
    """What the file names, None for a missing or damaged file."""
    try:
        data = json.loads(path.read_text())
        return ProcessIdentity(pid=int(data["pid"]), started=str(data["started"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _started_by_proc(pid: int) -> str:
    try:
        text = (_PROC / str(pid) / "stat").read_text()
    except OSError:
        return ""
    # The name in parentheses may hold anything, so count from the last parenthesis.
    fields = text.rpartition(")")[2].split()
    if fields[_STATE] in ("Z", "X"):
        return ""
    return f"{_boot_id()}:{fields[_START_TIME]}"


def _boot_id() -> str:
    try:
        return (_PROC / "sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return "boot"


def _started_by_ps(pid: int) -> str:
    shown = subprocess.run(
        ["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout.strip()
    state, _, started = shown.partition(" ")
    return "" if state.startswith("Z") else started.strip()
