"""The one way to start a server: own its directory, clear what a killed one left, take a port, wait."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sandbox.children import Command, spawn
from sandbox.embedded.ports import is_listening, reserved_port
from sandbox.errors import DataDirectoryBusy, ServerStartFailed
from sandbox.identity import ProcessIdentity, identify, read_pid_file, write_pid_file
from sandbox.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

_ADDRESS_IN_USE = ("address already in use", "address in use")
_ATTEMPTS = 5


@dataclass(frozen=True)
class Recipe:
    """How one kind of server is run.

    `command` takes the port; `stop_signal` is the one for a clean and quick stop; it runs in `directory`,
    which is the data directory unless set. `environ` takes the port and says what is added to our environment.
    """

    name: str
    command: Callable[[int], tuple[str, ...]]
    url: Callable[[int], str]
    stop_signal: signal.Signals = signal.SIGTERM
    user: str | None = None
    directory: Path | None = None
    environ: Callable[[int], Mapping[str, str]] = lambda _: {}
    start_seconds: float = 30.0
    complaint: Callable[[str], str] = lambda log: log.strip().rpartition("\n")[2]


@dataclass(frozen=True)
class RunningServer:
    """A server that listens on loopback; `url` is what clients use, and `companion` one that ends with it."""

    name: str
    url: str
    port: int
    data_dir: Path
    identity: ProcessIdentity
    process: subprocess.Popen[bytes]
    stop_signal: signal.Signals
    _owner_lock: int
    companion: RunningServer | None = None

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.identity.pid

    def is_alive(self) -> bool:
        """Whether it still runs."""
        return self.process.poll() is None

    def stop(self, *, seconds: float = 20.0) -> None:
        """Ends it cleanly, by SIGKILL if it has not ended after `seconds`; calling it again does nothing."""
        if self.is_alive():
            self.process.send_signal(self.stop_signal)
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._release()
        if self.companion is not None:
            self.companion.stop()

    def kill(self) -> None:
        """SIGKILL, as a crash would; the data directory can be started again afterwards."""
        self.process.kill()
        self.process.wait()
        self._release()
        if self.companion is not None:
            self.companion.kill()

    def log_tail(self, lines: int = 20) -> str:
        """The last lines that it printed."""
        return "\n".join(_read_log(self.data_dir, self.name).splitlines()[-lines:])

    def _release(self) -> None:
        pid_file = self.data_dir / f"{self.name}.pid"
        if read_pid_file(pid_file) == self.identity:
            pid_file.unlink(missing_ok=True)
        try:
            os.close(self._owner_lock)
        except OSError:
            return  # Stopped before.


def start_server(
    recipe: Recipe, data_dir: Path, *, port: int | None = None, die_with_parent: bool = True
) -> RunningServer:
    """Starts the server and returns once it listens.

    Raises DataDirectoryBusy, PortTaken or ServerStartFailed.
    """
    data_dir.mkdir(parents=True, exist_ok=True)
    lock = _own(data_dir, recipe.name)
    try:
        _end_leftover(data_dir, recipe)
        return _start(recipe, data_dir, port, die_with_parent, lock)
    except BaseException:
        os.close(lock)
        raise


def _own(data_dir: Path, name: str) -> int:
    lock = os.open(data_dir / f"{name}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        leftover = read_pid_file(data_dir / f"{name}.pid")
        by = f" (server pid {leftover.pid})" if leftover else ""
        raise DataDirectoryBusy(
            f"{data_dir} is in use by another run{by}: stop that one or choose another data directory"
        ) from None
    return lock


def _end_leftover(data_dir: Path, recipe: Recipe) -> None:
    """Ends a server whose parent was killed; a pid that now means another process is left alone."""
    pid_file = data_dir / f"{recipe.name}.pid"
    leftover = read_pid_file(pid_file)
    if leftover is not None and leftover.is_alive() and not leftover.end(recipe.stop_signal, seconds=20):
        raise ServerStartFailed(
            f"{recipe.name} of an earlier run (pid {leftover.pid}) cannot be stopped: end it by hand"
        )
    pid_file.unlink(missing_ok=True)


class _PortLost(ServerStartFailed):
    """Another process took the port between the choice and the server's start."""


def _start(
    recipe: Recipe, data_dir: Path, port: int | None, die_with_parent: bool, lock: int
) -> RunningServer:
    for _ in range(_ATTEMPTS - 1):
        try:
            return _start_once(recipe, data_dir, port, die_with_parent, lock)
        except _PortLost:
            continue
    return _start_once(recipe, data_dir, port, die_with_parent, lock)


def _start_once(
    recipe: Recipe, data_dir: Path, port: int | None, die_with_parent: bool, lock: int
) -> RunningServer:
    with reserved_port(data_dir / f"{recipe.name}.port", port=port) as chosen:
        command = Command(
            argv=recipe.command(chosen),
            env={**os.environ, **recipe.environ(chosen)},
            directory=recipe.directory or data_dir,
            death_signal=recipe.stop_signal if die_with_parent else None,
            user=recipe.user,
        )
        process = _launch(recipe.name, command, data_dir)
        identity = identify(process.pid)
        if identity is None or not _listens(process, chosen, recipe.start_seconds):
            raise _failure(recipe, data_dir, process, port_is_free=port is None)
    write_pid_file(data_dir / f"{recipe.name}.pid", identity)
    return RunningServer(
        recipe.name, recipe.url(chosen), chosen, data_dir, identity, process, recipe.stop_signal, lock
    )


def _failure(
    recipe: Recipe, data_dir: Path, process: subprocess.Popen[bytes], *, port_is_free: bool
) -> ServerStartFailed:
    log = _read_log(data_dir, recipe.name)
    lost = port_is_free and any(sign in log.lower() for sign in _ADDRESS_IN_USE)
    why = recipe.complaint(log) or f"exit code {process.poll()}"
    kind = _PortLost if lost else ServerStartFailed
    return kind(f"{recipe.name} did not start: {why} (log: {_log_path(data_dir, recipe.name)})")


def _launch(name: str, command: Command, data_dir: Path) -> subprocess.Popen[bytes]:
    log = _log_path(data_dir, name)
    if log.exists():
        log.replace(log.with_suffix(".log.1"))
    with log.open("wb") as output:
        try:
            return spawn(command, output=output)
        except (OSError, subprocess.SubprocessError) as exc:
            raise ServerStartFailed(f"{name} could not be run: {command.argv[0]}: {exc}") from exc


def _listens(process: subprocess.Popen[bytes], port: int, seconds: float) -> bool:
    """Waits until it listens; a server that ended or is too slow is not left running."""
    wait_until(lambda: process.poll() is not None or is_listening(port), seconds=seconds)
    if process.poll() is None and is_listening(port):
        return True
    process.kill()
    process.wait()
    return False


def _log_path(data_dir: Path, name: str) -> Path:
    return data_dir / f"{name}.log"


def _read_log(data_dir: Path, name: str) -> str:
    try:
        return _log_path(data_dir, name).read_text(errors="replace")[-20000:]
    except OSError:
        return ""
